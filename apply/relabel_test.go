package apply

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

// regional is a release that gives sites of the region apac one object more.
func regional(t *testing.T, f *factory, version string, sequence uint64) sealed {
	t.Helper()
	c := newContent(version, sequence)
	c.image(t, "registry.example.com/app:"+version, []byte("layer "+version))
	c.configMaps("app")
	doc, err := overlay.Marshal([]overlay.Edit{{Object: overlay.Key{Kind: "ConfigMap", Namespace: "shop", Name: "apac"}, Op: overlay.Add,
		Value: overlay.Value{V: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "apac", "namespace": "shop"},
			"data": map[string]any{"version": version}}}}})
	if err != nil {
		t.Fatal(err)
	}
	c.d.Overlays = []bundle.Overlay{{Name: "apac", Match: map[string]string{"region": "apac"}, Digest: c.keep(doc), Size: int64(len(doc)), Edits: 1}}
	c.d.Labels = map[string][]string{"region": {"apac", "emea"}}
	return f.seal(t, c)
}

func (s *testSite) has(names ...string) {
	s.t.Helper()
	if len(s.world.objects) != len(names) {
		s.t.Fatalf("the cluster has %v, want %v", s.world.objects, names)
	}
	for _, n := range names {
		if s.world.objects[kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: n}] == "" {
			s.t.Fatalf("the cluster has %v, want %v", s.world.objects, names)
		}
	}
}

func (s *testSite) moveTo(region string) { s.cfg.Metadata.Labels = map[string]string{"region": region} }

// A site that moves to another region takes the release that it runs again: as a transaction, which may fail and be taken back.
func TestRelabelledSite(t *testing.T) {
	f := newFactory(t)
	w := newWorld()
	s := newTestSite(t, f, w)
	one := regional(t, f, "1.0.0", 1)
	s.must(one)
	s.has("app")

	s.moveTo("apac")
	st, err := s.Look(context.Background())
	if err != nil || !strings.Contains(st.Relabelled, "is here with no overlay, and by its labels this site takes overlay apac") {
		t.Errorf("status says %q, %v", st.Relabelled, err)
	}
	w.failing = func(string) bool { return len(w.objects) == 2 }
	if _, err := s.apply(one); reasonOf(err) != "rolled-back" {
		t.Fatalf("got %v", err)
	}
	s.has("app")
	if _, err := s.apply(one); reasonOf(err) != "bad" {
		t.Errorf("what failed is taken again: %v", err)
	}
	s.moveTo("emea")
	if res := s.must(one); res.Result != ResultNothing {
		t.Errorf("the release that runs is %s", res.Result)
	}

	w.failing = func(string) bool { return false }
	s.moveTo("apac")
	if _, err := s.Apply(context.Background(), one.input(), Options{Retry: true}); err != nil {
		t.Fatal(err)
	}
	s.has("app", "apac")
	if c := s.status().Current; len(c.Overlays) != 1 || c.Overlays[0] != "apac" {
		t.Errorf("current is %+v", c)
	}
	if res := s.must(one); res.Result != ResultNothing {
		t.Errorf("taken again: %s", res.Result)
	}
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	s.has("app")
	s.must(regional(t, f, "2.0.0", 2))
	s.has("app", "apac")
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	s.has("app")
}

// What a slot says of its overlays must be what its objects are made with.
func TestSlotOfOtherOverlays(t *testing.T) {
	f := newFactory(t)
	s := newTestSite(t, f, newWorld())
	s.moveTo("apac")
	s.must(regional(t, f, "1.0.0", 1))
	current := *s.status().Current
	held, err := s.Slots().Load(current.Slot)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openRelease(current, held); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() (Release, []byte, []byte){
		"other names in the journal": func() (Release, []byte, []byte) {
			other := current
			other.Overlays = nil
			return other, held.Objects, held.Overlays
		},
		"other objects": func() (Release, []byte, []byte) { return current, held.Objects[1:], held.Overlays },
		"no record":     func() (Release, []byte, []byte) { return current, held.Objects, nil },
		"an overlay that is no": func() (Release, []byte, []byte) {
			return current, held.Objects, []byte(strings.Replace(string(held.Overlays), "apac", "emea", 1))
		},
		"another form": func() (Release, []byte, []byte) { return current, held.Objects, append([]byte(" "), held.Overlays...) },
	} {
		rel, objects, record := change()
		copied := *held
		copied.Objects, copied.Overlays = objects, record
		if _, err := openRelease(rel, &copied); reasonOf(err) != "slot" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSiteOfUnknownRegion(t *testing.T) {
	f := newFactory(t)
	s := newTestSite(t, f, newWorld())
	s.moveTo("emae")
	if _, err := s.apply(regional(t, f, "1.0.0", 1)); reasonOf(err) != "labels" || !strings.Contains(err.Error(), "region: emae is none of apac, emea") {
		t.Errorf("got %v", err)
	}
}
