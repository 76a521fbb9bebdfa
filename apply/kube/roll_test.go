package kube

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// reader is a Deployment that reads the key mode of the ConfigMap settings, and all of the Secret pins.
func reader(ns string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: till, namespace: %s}
spec:
  selector: {matchLabels: {app: till}}
  template:
    metadata: {labels: {app: till}}
    spec:
      containers:
        - name: c
          image: i
          env: [{name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}]
      volumes:
        - {name: p, projected: {sources: [{secret: {name: pins}}]}}
        - {name: q, configMap: {name: of-others, optional: true}}
`, ns)
}

func settings(ns, mode, other, pin string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: %s}\ndata: {mode: %s, other: %s}\n"+
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: pins, namespace: %[1]s}\nstringData: {pin: %[4]q}\n", ns, mode, other, pin)
}

var till = func(ns string) ID {
	return ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "till"}
}

// templateOf is the pod template of the Deployment, which decides whether it restarts.
func templateOf(ctx context.Context, t *testing.T, c *Cluster, ns string) string {
	t.Helper()
	u, err := c.getAnyVersion(ctx, till(ns))
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	template, _, _ := unstructured.NestedMap(u.Object, "spec", "template")
	return fmt.Sprint(template)
}

// TestRollForContent is kubernetes#22368: only a ConfigMap or a Secret changes, nothing restarts, and the trial judges pods
// that still have the old content.
func TestRollForContent(t *testing.T) {
	for name, c := range map[string]struct {
		next  string // settings
		rolls bool
		note  string
	}{
		"a key that it reads":      {settings("%s", "bad", "x", "1"), true, "ConfigMap %[1]s/settings: read by Deployment %[1]s/till, restarted for it"},
		"a Secret that it reads":   {settings("%s", "good", "x", "2"), true, "Secret %[1]s/pins: read by Deployment %[1]s/till, restarted for it"},
		"a key that nobody reads":  {settings("%s", "good", "z", "1"), false, ""},
		"nothing of what it reads": {settings("%s", "good", "x", "1"), false, ""},
	} {
		for _, recorded := range []bool{true, false} {
			t.Run(fmt.Sprint(name, recorded), func(t *testing.T) {
				ctx, cluster := t.Context(), newCluster(t)
				ns := "roll-" + strings.ReplaceAll(strings.ToLower(name), " ", "-") + fmt.Sprint(recorded)
				old := objects("%s", namespace(ns)+settings(ns, "good", "x", "1")+reader(ns))
				inv, _ := mustApply(ctx, t, cluster, old, Inventory{})
				before := templateOf(ctx, t, cluster, ns)
				if _, again := mustApply(ctx, t, cluster, old, inv); slices.ContainsFunc(again, func(c Change) bool { return c.Action != Unchanged }) {
					t.Errorf("the same again: %q", brief(again))
				}
				if d, err := cluster.Drift(ctx, old); err != nil || len(d) > 0 {
					t.Errorf("drift: %+v, %v", d, err)
				}
				next := objects("%s", namespace(ns)+strings.ReplaceAll(c.next, "%s", ns)+reader(ns))
				var notes []string
				for _, ch := range mustDryRun(ctx, t, cluster, next, inv) {
					notes = append(notes, ch.String()+": "+ch.Note)
				}
				if want := strings.ReplaceAll(c.note, "%[1]s", ns); want != "" && !slices.Contains(notes, want) {
					t.Errorf("the dry run says %q, and not %q", notes, want)
				}
				var record bytes.Buffer
				if err := cluster.Record(ctx, next, inv, &record); err != nil {
					t.Fatal(err)
				}
				mustApply(ctx, t, cluster, next, inv)
				if rolled := templateOf(ctx, t, cluster, ns) != before; rolled != c.rolls {
					t.Errorf("it restarts: %v, want %v", rolled, c.rolls)
				}
				was, err := ReadRecord(&record)
				if err != nil {
					t.Fatal(err)
				}
				if !recorded {
					was = nil
				}
				if _, err := cluster.Restore(ctx, old, inv, was); err != nil {
					t.Fatal(err)
				}
				if after := templateOf(ctx, t, cluster, ns); after != before {
					t.Errorf("after the way back:\n%s\nbefore:\n%s", after, before)
				}
			})
		}
	}
}

// A workload that came without the hash does not restart for the hash alone, and has none after the way back.
func TestRollLeavesWhatCameWithout(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "adopted-roll"
	createTheirs(ctx, t, c, strings.TrimPrefix(namespace(ns), "---\n")+settings(ns, "good", "x", "1")+reader(ns))
	before := templateOf(ctx, t, c, ns)
	old := objects("%s", namespace(ns)+settings(ns, "good", "x", "1")+reader(ns))
	inv, _ := mustApply(ctx, t, c, old, Inventory{})
	if after := templateOf(ctx, t, c, ns); after != before {
		t.Errorf("it restarts for nothing:\n%s\nbefore:\n%s", after, before)
	}
	var record bytes.Buffer
	if err := c.Record(ctx, old, inv, &record); err != nil {
		t.Fatal(err)
	}
	mustApply(ctx, t, c, objects("%s", namespace(ns)+settings(ns, "bad", "x", "1")+reader(ns)), inv)
	if templateOf(ctx, t, c, ns) == before {
		t.Error("it does not restart")
	}
	was, err := ReadRecord(&record)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Restore(ctx, old, inv, was); err != nil {
		t.Fatal(err)
	}
	if after := templateOf(ctx, t, c, ns); after != before {
		t.Errorf("after the way back:\n%s\nbefore:\n%s", after, before)
	}
}

func TestNoRoll(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "no-roll"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+settings(ns, "good", "x", "1")+reader(ns)), Inventory{})
	before := templateOf(ctx, t, c, ns)
	next := objects("%s", namespace(ns)+settings(ns, "bad", "x", "1")+reader(ns))
	next.NoRoll = true
	changes := mustDryRun(ctx, t, c, next, inv)
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Name == "settings" })
	if !strings.HasSuffix(changes[i].Note, "not restarted for it (spec.roll: false)") {
		t.Errorf("note %q", changes[i].Note)
	}
	mustApply(ctx, t, c, next, inv)
	if templateOf(ctx, t, c, ns) != before {
		t.Error("it restarts")
	}
	next.NoRoll = false
	mustApply(ctx, t, c, next, inv)
	if templateOf(ctx, t, c, ns) == before {
		t.Error("it does not restart once it may")
	}
}
