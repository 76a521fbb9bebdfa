package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// jobRunner plays the controller of Jobs in one namespace.
type jobRunner struct {
	c       *Cluster
	ns      string
	outcome func(job string) string // done, failed, or empty: it runs on

	mu   sync.Mutex
	seen map[types.UID]bool
	ran  []string // by name, with the value of the ConfigMap limits at the time
}

func runJobs(t *testing.T, ns string, outcome func(job string) string) *jobRunner {
	t.Helper()
	r := &jobRunner{c: newCluster(t), ns: ns, outcome: outcome, seen: map[types.UID]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.play(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the Jobs' controller: %v", err)
		}
	})
	return r
}

func (r *jobRunner) play(ctx context.Context) error {
	for {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "JobList"})
		err := errors.Join(r.c.learn(ctx, list.GroupVersionKind().GroupVersion()), r.c.learn(ctx, schema.GroupVersion{Version: "v1"}))
		if err == nil {
			err = r.c.client.List(ctx, list, client.InNamespace(r.ns))
		}
		for i := 0; err == nil && i < len(list.Items); i++ {
			err = r.finish(ctx, &list.Items[i])
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (r *jobRunner) finish(ctx context.Context, job *unstructured.Unstructured) error {
	if r.seen[job.GetUID()] || job.GetDeletionTimestamp() != nil {
		return nil
	}
	const at = "2026-01-01T00:00:00Z"
	condition := func(kind string) any {
		return map[string]any{"type": kind, "status": "True", "reason": "x", "message": "it says no"}
	}
	switch r.outcome(job.GetName()) {
	case "done":
		job.Object["status"] = map[string]any{"startTime": at, "completionTime": at, "conditions": []any{condition("SuccessCriteriaMet"), condition("Complete")}}
	case "failed":
		job.Object["status"] = map[string]any{"startTime": at, "conditions": []any{condition("FailureTarget"), condition("Failed")}}
	default:
		return nil
	}
	value := "none"
	limits, err := r.c.get(ctx, ID{Version: "v1", Kind: "ConfigMap", Namespace: r.ns, Name: "limits"})
	if err != nil {
		return err
	}
	if limits != nil {
		value, _, _ = unstructured.NestedString(limits.Object, "data", "limit")
	}
	r.seen[job.GetUID()] = true
	r.mu.Lock()
	r.ran = append(r.ran, job.GetName()+" "+value)
	r.mu.Unlock()
	return client.IgnoreNotFound(r.c.client.Status().Update(ctx, job))
}

// took gives what has run since it was asked last.
func (r *jobRunner) took() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ran := r.ran
	r.ran = nil
	return ran
}

func succeed(string) string { return "done" }

// hookJob is a Job with Helm's annotations.
func hookJob(ns, name, annotations string) string {
	return fmt.Sprintf("---\n{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: %s, annotations: {%s}}, spec: {backoffLimit: 0, template: "+
		"{spec: {restartPolicy: Never, containers: [{name: app, image: i}]}}}}\n", name, ns, annotations)
}

func hookID(ns, name string) ID {
	return ID{Group: "batch", Version: "v1", Kind: "Job", Namespace: ns, Name: name}
}

func (r *jobRunner) there(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	u, err := r.c.get(t.Context(), hookID(r.ns, name))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func wantRan(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: ran %q, want %q", what, got, want)
	}
}

// Hooks run before and after the objects, by their weights: those of an install where the chart is new, else those of an
// upgrade. They are in no inventory; Helm's policies delete them.
func TestHooksRunInTheirOrder(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "hooks"
	runner := runJobs(t, ns, succeed)
	release := func(limit string, hooks *Hooks) Objects {
		o := objects("%s", namespace(ns)+configMap(ns, "limits", `"`+limit+`"`)+
			hookJob(ns, "second", `helm.sh/hook: "pre-install, pre-upgrade"`)+
			hookJob(ns, "first", `helm.sh/hook: pre-install, helm.sh/hook-weight: "-5", helm.sh/hook-delete-policy: hook-succeeded`)+
			hookJob(ns, "upgrade", `helm.sh/hook: pre-upgrade, helm.sh/hook-weight: "-1"`)+
			hookJob(ns, "after", `helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: "hook-succeeded,before-hook-creation"`)+
			hookJob(ns, "back", `helm.sh/hook: pre-rollback`)+
			hookJob(ns, "test", `helm.sh/hook: test`)+hookJob(ns, "bye", `helm.sh/hook: pre-delete`))
		o.Hooks = hooks
		return o
	}
	var all []ID
	for _, name := range []string{"second", "first", "upgrade", "after", "back", "test", "bye"} {
		all = append(all, ID{Kind: "Job", Namespace: ns, Name: name})
	}
	first := release("1", &Hooks{Run: "1", Charts: []HelmRelease{{Name: "shop", Namespace: ns, Hooks: all, New: true}}})

	dry, err := c.DryRun(ctx, first, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run", dry, "created Namespace hooks", "created ConfigMap hooks/limits", "runs Job hooks/first", "runs Job hooks/second", "runs Job hooks/after")
	if runner.there(t, "first") != nil {
		t.Error("a dry run runs a hook")
	}
	inv, changes := mustApply(ctx, t, c, first, Inventory{})
	expect(t, "install", changes, brief(dry)...)
	wantRan(t, "install", runner.took(), "first none", "second none", "after 1")
	if inv.Len() != 2 {
		t.Errorf("the inventory is %v", inv.IDs())
	}
	if runner.there(t, "first") != nil || runner.there(t, "second") == nil || runner.there(t, "after") != nil {
		t.Error("the policies of deletion are not followed")
	}

	if _, changes = mustApply(ctx, t, c, release("1", nil), inv); len(changes) != 2 || len(runner.took()) != 0 {
		t.Errorf("hooks run for nothing: %q", brief(changes))
	}
	left := runner.there(t, "second").GetUID()
	second := release("2", &Hooks{Run: "2"})
	mustApply(ctx, t, c, second, inv)
	wantRan(t, "upgrade", runner.took(), "upgrade 1", "second 1", "after 2")
	if runner.there(t, "second").GetUID() == left {
		t.Error("the hook of the release before was not made again")
	}

	// What was cut short is taken up: what was begun for it is waited for, what has done its work is left alone.
	var ended []string
	second.Hooks.End = func(hook string) error { ended = append(ended, hook); return nil }
	left = runner.there(t, "second").GetUID()
	mustApply(ctx, t, c, second, inv)
	wantRan(t, "taken up", runner.took(), "after 2") // its policy has deleted it
	if runner.there(t, "second").GetUID() != left {
		t.Error("a hook ran twice for one change of releases")
	}
	if want := []string{"pre-upgrade Job hooks/upgrade", "pre-upgrade Job hooks/second", "post-upgrade Job hooks/after"}; !slices.Equal(ended, want) {
		t.Errorf("told to have ended: %q", ended)
	}
	second.Hooks.Ended = ended
	mustApply(ctx, t, c, second, inv)
	wantRan(t, "taken up again", runner.took())

	if err := c.Undo(ctx, second, "pre"); err != nil {
		t.Fatal(err)
	}
	wantRan(t, "on the way back", runner.took(), "back 2")
	statuses, err := c.Health(ctx, second)
	if err != nil || len(statuses) != 2 {
		t.Errorf("hooks are judged: %v, %v", statuses, err)
	}
	finalizeNamespace(t, ns)
	pruned, err := c.Prune(ctx, inv.Union(NewInventory(hookID(ns, "second"))), NewInventory())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", pruned, "pruned ConfigMap hooks/limits", "pruned Namespace hooks")
}

// A hook that fails, or does not end in time, ends the change of releases before any object is touched, and is named.
func TestHookFails(t *testing.T) {
	for name, tt := range map[string]struct{ annotations, outcome, why string }{
		"fails":        {`helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: hook-failed`, "failed", "it failed: x: it says no"},
		"does not end": {`helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: hook-failed, sallyport.dev/timeout: 1s`, "", "it has not ended after 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, c, ns := t.Context(), newCluster(t), "hook-"+strings.ReplaceAll(name, " ", "-")
			runner := runJobs(t, ns, func(job string) string {
				if job == "migrate" {
					return tt.outcome
				}
				return "done"
			})
			inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+configMap(ns, "limits", `"1"`)), Inventory{})
			next := objects("%s", namespace(ns)+configMap(ns, "limits", `"2"`)+hookJob(ns, "migrate", tt.annotations)+
				hookJob(ns, "before", `helm.sh/hook: pre-upgrade, helm.sh/hook-weight: "-1", helm.sh/hook-delete-policy: hook-succeeded`))
			next.Hooks = &Hooks{Run: "2"}
			_, _, err := c.Apply(ctx, next, inv)
			var failed *HookError
			if !errors.As(err, &failed) || failed.When != "pre-upgrade" || failed.Name != "migrate" || !strings.Contains(failed.Why, tt.why) || !strings.Contains(failed.Hint(), "kubectl logs -n "+ns) {
				t.Fatalf("got %v", err)
			}
			limits, err := c.get(ctx, ID{Version: "v1", Kind: "ConfigMap", Namespace: ns, Name: "limits"})
			if err != nil {
				t.Fatal(err)
			}
			if v, _, _ := unstructured.NestedString(limits.Object, "data", "limit"); v != "1" {
				t.Errorf("the objects are touched: limit is %s", v)
			}
			for _, job := range []string{"migrate", "before"} {
				if runner.there(t, job) != nil {
					t.Errorf("%s is still there, against its policy", job)
				}
			}
		})
	}
}

// What is in a hook's way and is none is left alone.
func TestHookLeavesOthersAlone(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "hook-others"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)), Inventory{})
	runner := runJobs(t, ns, func(string) string { return "" })
	must(t, c.learn(ctx, schema.GroupVersion{Group: "batch", Version: "v1"}))
	theirs := create(ctx, t, c, strings.TrimPrefix(hookJob(ns, "migrate", ""), "---\n"), nil)
	next := objects("%s", namespace(ns)+hookJob(ns, "migrate", `helm.sh/hook: pre-upgrade`))
	next.Hooks = &Hooks{Run: "1"}
	_, _, err := c.Apply(ctx, next, inv)
	var failed *HookError
	if !errors.As(err, &failed) || !strings.Contains(failed.Why, "is no hook") {
		t.Errorf("got %v", err)
	}
	if u := runner.there(t, "migrate"); u == nil || u.GetUID() != theirs.GetUID() || u.GetLabels()[OwnerLabel] != "" {
		t.Error("somebody else's Job was touched")
	}
}

// A release that Helm installed is upgraded, not installed, when sallyport takes it over; its records are named and left.
func TestHelmReleaseIsTakenOver(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "from-helm"
	prev, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)), Inventory{})
	for _, name := range []string{"sh.helm.release.v1.shop.v1", "sh.helm.release.v1.shop.v2"} {
		create(ctx, t, c, fmt.Sprintf("{apiVersion: v1, kind: Secret, type: helm.sh/release.v1, metadata: {name: %s, namespace: %s, labels: {owner: helm, name: shop}}}", name, ns), nil)
	}
	create(ctx, t, c, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: limits, namespace: %s, labels: {app.kubernetes.io/managed-by: Helm}, "+
		"annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: %s}}, data: {limit: '0'}}", ns, ns), nil)
	runner := runJobs(t, ns, succeed)
	want := objects("%s", namespace(ns)+configMap(ns, "limits", `"1"`)+hookJob(ns, "install", "helm.sh/hook: post-install")+hookJob(ns, "upgrade", "helm.sh/hook: pre-upgrade"))
	want.Hooks = &Hooks{Run: "1", Charts: []HelmRelease{{Name: "shop", Namespace: ns, New: true, Hooks: []ID{{Kind: "Job", Namespace: ns, Name: "install"}, {Kind: "Job", Namespace: ns, Name: "upgrade"}}}}}
	_, changes := mustApply(ctx, t, c, want, prev)
	expect(t, "taken over", changes, "unchanged Namespace from-helm", "configured ConfigMap from-helm/limits", "runs Job from-helm/upgrade",
		"kept Secret from-helm/sh.helm.release.v1.shop.v1", "kept Secret from-helm/sh.helm.release.v1.shop.v2")
	if !strings.Contains(changes[1].Note, "taken over from the Helm release from-helm/shop") {
		t.Errorf("note %q", changes[1].Note)
	}
	wantRan(t, "taken over", runner.took(), "upgrade 0")
}

// helm/helm#5825: what a migration before an upgrade did stays when the release goes back, unless its chart undoes it. It is
// named before anything is touched, and the release has to accept it.
func TestUpgradeHooksAreOneWay(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "one-way-hooks"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)), Inventory{})
	want := objects("%s", namespace(ns)+hookJob(ns, "migrate", "helm.sh/hook: pre-upgrade")+hookJob(ns, "other", "helm.sh/hook: post-upgrade")+
		hookJob(ns, "other-back", "helm.sh/hook: post-rollback")+hookJob(ns, "install", "helm.sh/hook: pre-install")+
		fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: map, namespace: %s, annotations: {helm.sh/hook: pre-upgrade}}}\n", ns))
	job := func(name string) ID { return ID{Kind: "Job", Namespace: ns, Name: name} }
	want.Hooks = &Hooks{Run: "1", Charts: []HelmRelease{{Name: "a", Namespace: ns, Hooks: []ID{job("migrate")}}, {Name: "b", Namespace: ns, Hooks: []ID{job("other"), job("other-back")}},
		{Name: "c", Namespace: ns, Hooks: []ID{job("install")}, New: true}}}
	for _, accepted := range []bool{false, true} {
		if accepted {
			want.OneWay = []ID{job("migrate")}
		}
		changes, err := c.DryRun(ctx, want, inv)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "dry run", changes, "unchanged Namespace one-way-hooks", "runs Job one-way-hooks/install", "runs ConfigMap one-way-hooks/map",
			"runs Job one-way-hooks/migrate", "runs Job one-way-hooks/other")
		var refused *OneWayError
		switch err := Refusal("x", changes); {
		case accepted && err != nil:
			t.Errorf("refused though it is accepted: %v", err)
		case !accepted && (!errors.As(err, &refused) || len(refused.Changes) != 1 || refused.Changes[0].Name != "migrate"):
			t.Errorf("got %v", err)
		}
	}
}

// helm.sh/resource-policy: keep is honoured.
func TestPruneKeepsWhatHelmKeeps(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "helm-keep"
	kept := fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: data, namespace: %s, annotations: {helm.sh/resource-policy: keep}}}\n", ns)
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+kept), Inventory{})
	pruned, err := c.Prune(ctx, inv, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", pruned, "kept ConfigMap helm-keep/data", "kept Namespace helm-keep")
}

// Nobody runs hooks in a folder: a release that needs them is refused.
func TestFolderRefusesHooks(t *testing.T) {
	f := NewFolder(t.TempDir(), durable.Disk{})
	want := objects("%s", configMap("a", "limits", `"1"`)+hookJob("a", "migrate", "helm.sh/hook: pre-upgrade")+hookJob("a", "test", "helm.sh/hook: test"))
	want.Hooks = &Hooks{Run: "1"}
	changes, err := f.DryRun(t.Context(), want, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "folder", changes, "created ConfigMap a/limits", "conflict Job a/migrate")
}
