package apply

import (
	"context"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Every reason for which a release does not fit, and that nothing at all has changed then.
func TestReleasesThatDoNotFit(t *testing.T) {
	f := newFactory(t)
	make := func(t *testing.T, edit func(*content)) sealed {
		c := newContent("2.0.0", 2)
		c.image(t, "registry.example.com/app:stable", []byte("layer of 2.0.0"))
		c.configMaps("a")
		edit(c)
		return f.seal(t, c)
	}
	base := []bundle.Base{{Digest: digest.FromString("the base"), Name: "store-platform", Version: "1.5.0", Sequence: 1}}
	layer := digest.FromString("layer of 2.0.0")
	for _, c := range []struct {
		name, reason, says string
		edit               func(*content)
	}{
		{"platform", "platform", "linux/arm64", func(c *content) {
			c.d.Platforms = []string{"linux/arm64"}
			c.d.Images[0].Manifests[0].Platform = "linux/arm64"
		}},
		{"label", "labels", "store-format: large; this one has none", func(c *content) {
			c.d.Requires = &bundle.Requires{Labels: map[string]string{"region": "emea", "store-format": "large"}}
		}},
		{"version", "requires", "this site runs 1.0.0", func(c *content) { c.d.Requires = &bundle.Requires{Releases: ">=1.5.0"} }},
		{"cluster of another version", "requires", "requires Kubernetes >=1.99, and this cluster has v1.36.3", func(c *content) { c.d.Requires = &bundle.Requires{Kubernetes: []string{">=1.25.0-0", ">=1.99"}} }},
		{"reused blob", "base", "store-platform 1.5.0", func(c *content) { c.d.Bases = base; c.reuse(layer) }},
		{"base of a patch", "base", "store-platform 1.0.0", func(c *content) {
			c.d.Bases = base
			c.travelAs(bundle.FormDelta, layer, []byte("patch"), bundle.BaseBlob{Digest: digest.FromString("old"), Size: 3, PlainSize: 3})
		}},
		{"room", "room", "free", func(c *content) {
			c.d.Bases = base
			c.travelAs(bundle.FormDelta, layer, []byte("patch"),
				bundle.BaseBlob{Digest: digest.FromString("layer of 1.0.0"), Size: 14, PlainSize: 1 << 42})
		}},
		{"room for a patch", "room", "free", func(c *content) {
			c.d.Bases = base
			c.travelAs(bundle.FormDelta, layer, []byte("patch"),
				bundle.BaseBlob{Digest: digest.FromString("layer of 1.0.0"), Size: 14, PlainSize: 14})
			for i := range c.d.Blobs {
				if c.d.Blobs[i].Form == bundle.FormDelta {
					c.d.Blobs[i].Payload.Scratch = 1 << 42
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestSite(t, f, newWorld())
			one := newContent("1.0.0", 1)
			one.image(t, "registry.example.com/app:stable", []byte("layer of 1.0.0"))
			one.configMaps("a")
			first := f.seal(t, one)
			s.must(first)
			before := s.status()
			pushes := s.world.pushes
			_, err := s.apply(make(t, c.edit))
			if reasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v (%s), want one for %s that says %q", err, reasonOf(err), c.reason, c.says)
			}
			if p := s.problem(&first); p != "" {
				t.Error(p)
			}
			if after := s.status(); after.LastAttempted.Transaction != before.LastAttempted.Transaction || s.world.pushes != pushes {
				t.Error("something was begun")
			}
		})
	}
}

func TestReleasesThatFit(t *testing.T) {
	f := newFactory(t)
	s := newTestSite(t, f, newWorld())
	s.cfg.Spec.Platform = "linux/arm"
	c := newContent("1.0.0", 1)
	c.d.Platforms = []string{"linux/amd64", "linux/arm/v7"}
	c.d.Requires = &bundle.Requires{Labels: map[string]string{"region": "emea"}}
	c.configMaps("a")
	s.must(f.seal(t, c))
	s.cfg.Spec.Platform = "linux/arm/v7"
	c = newContent("2.0.0", 2)
	c.d.Platforms = []string{"linux/arm/v7"}
	c.d.Requires = &bundle.Requires{Releases: ">=1.0.0 <2.0.0"}
	c.configMaps("a")
	s.must(f.seal(t, c))
}

// A blob that another image of the site has is not sent again, wherever the release wants it.
func TestReusedBlobsAreMounted(t *testing.T) {
	f := newFactory(t)
	s := newTestSite(t, f, newWorld())
	one := newContent("1.0.0", 1)
	one.image(t, "registry.example.com/app:1", []byte("the layer"))
	first := f.seal(t, one)
	s.must(first)
	two := newContent("2.0.0", 2)
	two.image(t, "registry.example.com/moved/app:1", []byte("the layer"))
	two.d.Bases = []bundle.Base{{Digest: first.release.Digest, Name: "store-platform", Version: "1.0.0", Sequence: 1}}
	two.reuse(digest.FromString("the layer"))
	second := f.seal(t, two)
	pushes := s.world.pushes
	res := s.must(second)
	if s.world.pushes != pushes+1 { // the config, which bears the image's name
		t.Errorf("%d blobs were sent, want 1", s.world.pushes-pushes)
	}
	if res.Bytes.Reused != int64(len("the layer")) {
		t.Errorf("bytes are %+v", res.Bytes)
	}
	if p := s.problem(&second); p != "" {
		t.Error(p)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	fc, err := s.DryRun(context.Background(), r.one.input(), Options{})
	if err != nil || len(fc.Changes) != 2 || fc.Push == 0 || fc.Current != nil {
		t.Errorf("on an empty site: %+v, %v", fc, err)
	}
	if _, err := s.Stage(context.Background(), r.one.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	s.must(r.one)
	before, world := s.status(), s.world.clone()
	fc, err = s.DryRun(context.Background(), r.two.input(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(fc.Changes) != 3 || fc.Reuse == 0 || fc.Runs || fc.Current.Version != "1.0.0" {
		t.Errorf("forecast is %+v", fc)
	}
	if after := s.status(); after.LastAttempted.Transaction != before.LastAttempted.Transaction {
		t.Error("a transaction was begun")
	}
	if len(world.blobs) != len(s.world.blobs) || len(world.manifests) != len(s.world.manifests) {
		t.Error("the mirror has changed")
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	if fc, err = s.DryRun(context.Background(), r.one.input(), Options{}); err != nil || !fc.Runs {
		t.Errorf("of what runs: %+v, %v", fc, err)
	}
	in := r.two.input()
	in.Reader = strings.NewReader(string(r.two.bytes[:len(r.two.bytes)-1]))
	if _, err = s.DryRun(context.Background(), in, Options{}); reasonOf(err) != "truncated" {
		t.Errorf("of a truncated bundle: %v", err)
	}
}

// People gate on the exit status of a dry run (fluxcd/flux2#2365, zapier/kubechecks#160): what stops an apply stops it.
func TestDryRunFindsWhatApplyWould(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	dry := func(o Options) (*Forecast, error) { return s.DryRun(context.Background(), r.two.input(), o) }

	s.world.refuses = "c"
	fc, err := dry(Options{})
	if reasonOf(err) != "refused" || fc == nil || len(fc.Changes) != 3 {
		t.Errorf("of refused objects: %+v, %v", fc, err)
	}
	s.world.refuses, s.world.unready = "", errUnready
	if fc, err = dry(Options{}); reasonOf(err) != "unusable" || fc != nil {
		t.Errorf("of a target that cannot be written: %+v, %v", fc, err)
	}
	s.world.unready, s.world.failing = nil, func(version string) bool { return version == "2.0.0" }
	if _, err = s.apply(r.two); reasonOf(err) != "rolled-back" {
		t.Fatal(err)
	}
	if fc, err = dry(Options{}); reasonOf(err) != "bad" || fc != nil {
		t.Errorf("of a release that failed here: %+v, %v", fc, err)
	}
	if _, err = dry(Options{Retry: true}); err != nil {
		t.Errorf("of one that is to be retried: %v", err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
}

func TestCollectTellsWhatIsInNoSlot(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	s.must(r.three)
	versions := func(forget bool) (keep, drop string) {
		err := s.Collect(context.Background(), forget, func(_ context.Context, k, d []*bundle.Descriptor) error {
			for _, x := range k {
				keep += x.Version + " "
			}
			for _, x := range d {
				drop += x.Version + " "
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keep, drop
	}
	for _, forget := range []bool{false, true} {
		if keep, drop := versions(forget); keep != "3.0.0 2.0.0 " || drop != "1.0.0 " {
			t.Errorf("keep %q, drop %q", keep, drop)
		}
	}
	if keep, drop := versions(true); keep != "3.0.0 2.0.0 " || drop != "" {
		t.Errorf("after it was forgotten: keep %q, drop %q", keep, drop)
	}
}
