package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// hooking writes down for which changes of releases hooks would run.
type hooking struct {
	cluster
	told *[]string
	cut  *func() // if set, it cuts the next Apply short after its hook
	runs map[string]bool
}

func (h hooking) Apply(ctx context.Context, want kube.Objects, prev kube.Inventory) (kube.Inventory, []kube.Change, error) {
	if want.Hooks == nil {
		*h.told = append(*h.told, "none")
		return h.cluster.Apply(ctx, want, prev)
	}
	h.runs[want.Hooks.Run] = true
	if len(want.Hooks.Ended) > 0 {
		*h.told = append(*h.told, "ended: "+strings.Join(want.Hooks.Ended, ", "))
	}
	if err := want.Hooks.End("pre-upgrade Job x"); err != nil {
		return kube.Inventory{}, nil, err
	}
	if cut := *h.cut; cut != nil {
		*h.cut = nil
		cut()
		return kube.Inventory{}, nil, ctx.Err()
	}
	var fresh []string
	for _, r := range want.Hooks.Charts {
		if r.New {
			fresh = append(fresh, fmt.Sprintf("%s/%s %s", r.Namespace, r.Name, r.Hooks[0]))
		}
	}
	*h.told = append(*h.told, "apply, new: "+strings.Join(fresh, ", "))
	return h.cluster.Apply(ctx, want, prev)
}

func (h hooking) Restore(ctx context.Context, want kube.Objects, prev kube.Inventory, before *kube.Record) (*kube.Restored, error) {
	_, version := parseObjects(want)
	*h.told = append(*h.told, "restore "+version)
	return h.cluster.Restore(ctx, want, prev, before)
}

func (h hooking) Undo(_ context.Context, of kube.Objects, when string) error {
	_, version := parseObjects(of)
	*h.told = append(*h.told, when+"-rollback of "+version)
	return &kube.HookError{ID: kube.ID{Kind: "Job", Name: "back"}, When: when + "-rollback", Why: "it failed"}
}

func (h hooking) took() []string {
	told := *h.told
	*h.told = nil
	return told
}

// Charts that are new to the site are installed, others upgraded; on the way back the hooks of the release that is left run,
// before and after, and their failure keeps nothing from being put back.
func TestHooksFollowTheReleases(t *testing.T) {
	f := newFactory(t)
	pack := func(version string, sequence uint64, charts ...string) sealed {
		c := newContent(version, sequence)
		for _, name := range charts {
			c.d.Charts = append(c.d.Charts, bundle.Chart{Name: name, Version: "1.0.0", Release: name, Namespace: "shop",
				Hooks: []bundle.ObjectRef{{Kind: "Job", Namespace: "shop", Name: name + "-migrate"}}})
		}
		c.configMaps("a")
		return f.seal(t, c)
	}
	s := newTestSite(t, f, newWorld())
	h := hooking{cluster{s.world}, new([]string), new(func()), map[string]bool{}}
	s.deps.OpenTarget = func(context.Context) (Target, error) { return h, nil }
	expect := func(what string, want ...string) {
		t.Helper()
		if got := h.took(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	s.must(pack("1.0.0", 1, "web"))
	expect("first", "apply, new: shop/web Job shop/web-migrate")
	s.must(pack("2.0.0", 2, "web", "db"))
	expect("second", "apply, new: shop/db Job shop/db-migrate")
	s.world.failing = func(version string) bool { return version == "3.0.0" }
	if _, err := s.apply(pack("3.0.0", 3, "web", "db")); reasonOf(err) != "rolled-back" {
		t.Fatalf("got %v", err)
	}
	expect("failing", "apply, new: ", "pre-rollback of 3.0.0", "restore 2.0.0", "post-rollback of 3.0.0")
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("a person goes back", "pre-rollback of 2.0.0", "restore 1.0.0", "post-rollback of 2.0.0")
	// A trial that is cut short knows afterwards what has ended in it; the next one begins anew.
	ctx, cut := context.WithCancel(context.Background())
	*h.cut = cut
	if _, err := s.Apply(ctx, pack("4.0.0", 4, "web").input(), Options{}); reasonOf(err) != "interrupted" {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Confirm(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.must(pack("5.0.0", 5, "web"))
	expect("cut short", "ended: pre-upgrade Job x", "apply, new: ", "apply, new: ")
	if len(h.runs) != 5 {
		t.Errorf("five changes of releases are told apart as %v", h.runs)
	}
	if !slices.ContainsFunc(s.said, func(e Event) bool {
		return strings.Contains(e.Text, "the pre-rollback hooks of store-platform 3.0.0: the pre-rollback hook Job back: it failed")
	}) {
		t.Errorf("said %v", s.said)
	}
}
