package kube

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// counted passes every request on and counts it.
func counted(n *atomic.Int64) fault {
	return func(http.ResponseWriter, *http.Request) bool {
		n.Add(1)
		return false
	}
}

func manyMaps(ns string, n int, value func(i int) string) string {
	var text strings.Builder
	text.WriteString(namespace(ns))
	for i := range n {
		text.WriteString(configMap(ns, fmt.Sprintf("c%03d", i), value(i)))
	}
	return text.String()
}

// TestFewCalls does what a site does for a release: a dry run, a record of what is there, and the real thing.
func TestFewCalls(t *testing.T) {
	const objs = 120
	var n atomic.Int64
	c := proxied(t, counted(&n))
	old := func(int) string { return "x" }
	var inv Inventory
	for _, step := range []struct {
		name  string
		value func(int) string
		most  int64 // calls an object, in hundredths
	}{
		{"install", old, 250},
		{"nothing", old, 150},
		{"one changed", func(i int) string {
			if i == 7 {
				return "w"
			}
			return "x"
		}, 150},
		{"all changed", func(int) string { return "z" }, 250},
	} {
		n.Store(0)
		want := objects("%s", manyMaps("calls", objs, step.value))
		if _, err := c.DryRun(t.Context(), want, inv); err != nil {
			t.Fatal(err)
		}
		if err := c.Record(t.Context(), want, inv, io.Discard); err != nil {
			t.Fatal(err)
		}
		inv, _ = mustApply(t.Context(), t, c, want, inv)
		if calls := n.Load(); calls*100 > step.most*objs {
			t.Errorf("%s: %d calls for %d objects", step.name, calls, objs)
		}
	}
}

// TestChangedSinceTheDryRun lets somebody change one object between the dry run and the real thing: what the dry run told
// of it is no longer so.
func TestChangedSinceTheDryRun(t *testing.T) {
	c, value := newCluster(t), func(int) string { return "x" }
	want := objects("%s", manyMaps("since", 5, value))
	inv, _ := mustApply(t.Context(), t, c, want, Inventory{})
	dry, err := c.DryRun(t.Context(), want, inv)
	if err != nil || slices.ContainsFunc(dry, func(x Change) bool { return x.Action != Unchanged }) {
		t.Fatalf("dry run of what is there: %v, %v", dry, err)
	}
	u, err := c.get(t.Context(), ID{Version: "v1", Kind: "ConfigMap", Namespace: "since", Name: "c003"})
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	if err := unstructured.SetNestedField(u.Object, "hand", "data", "limit"); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Update(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	_, changes := mustApply(t.Context(), t, c, want, inv)
	if changed := changes[4]; changed.Action != Configured || !slices.Equal(changed.Fields, []string{"data.limit: hand -> x"}) {
		t.Errorf("%+v", changed)
	}
}

// TestListsAreRefused works with a kubeconfig that may not list, as one of a single namespace often is (helm#31610), and
// finds what is there all the same.
func TestListsAreRefused(t *testing.T) {
	forbidden := answer(403, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"configmaps is forbidden: User \"till\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"refusedlists\"","reason":"Forbidden","code":403}`)
	c := proxied(t, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/configmaps") && forbidden(w, r)
	})
	inv, _ := mustApply(t.Context(), t, c, objects("%s", manyMaps("refusedlists", 5, func(int) string { return "x" })), Inventory{})
	_, changes := mustApply(t.Context(), t, c, objects("%s", manyMaps("refusedlists", 5, func(i int) string { return fmt.Sprintf("x%d", i/4) })), inv)
	expect(t, "the second release", changes, "unchanged Namespace refusedlists",
		"configured ConfigMap refusedlists/c000", "configured ConfigMap refusedlists/c001", "configured ConfigMap refusedlists/c002",
		"configured ConfigMap refusedlists/c003", "configured ConfigMap refusedlists/c004")
}

// TestFewLooks: a check looks every other second, for minutes.
func TestFewLooks(t *testing.T) {
	const objs = 120
	var n atomic.Int64
	c := proxied(t, counted(&n))
	want := objects("%s", manyMaps("looks", objs, func(int) string { return "x" }))
	mustApply(t.Context(), t, c, want, Inventory{})
	n.Store(0)
	statuses, err := c.Health(t.Context(), want)
	if err != nil || len(statuses) != objs+1 || CheckHealth(statuses) != nil {
		t.Errorf("%d statuses, %v", len(statuses), err)
	}
	if calls := n.Load(); calls > objs/10 {
		t.Errorf("%d calls for %d objects", calls, objs)
	}
}
