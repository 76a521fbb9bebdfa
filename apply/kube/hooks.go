package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What Helm writes into the objects of charts, and this package reads.
const (
	hookAnnotation   = "helm.sh/hook"
	weightAnnotation = "helm.sh/hook-weight"
	deleteAnnotation = "helm.sh/hook-delete-policy"

	deleteBefore    = "before-hook-creation"
	deleteSucceeded = "hook-succeeded"
	deleteFailed    = "hook-failed"
)

// hookTime is how long a hook may take if it does not say so with TimeoutAnnotation: as long as Helm gives it.
const hookTime = 5 * time.Minute

// Hooks say for which change of releases the hooks among a release's objects run. Of a chart that the site has not had
// before they are those of an install, of others those of an upgrade.
type Hooks struct {
	// Run names the change: a hook that was begun for it is waited for, and not begun again.
	Run string
	// Ended are the hooks that have done their work in this change, as End was told.
	Ended []string
	// End, if set, is called by one goroutine at a time when a hook has done its work, before it may be deleted.
	End func(hook string) error
	// Charts are the charts' releases of which hooks are.
	Charts []HelmRelease
}

// HookError tells that a hook failed, or did not end in time.
type HookError struct {
	ID
	When string // pre-upgrade
	Why  string
}

// Error names the hook and says what became of it.
func (e *HookError) Error() string { return fmt.Sprintf("the %s hook %s: %s", e.When, e.ID, e.Why) }

// Reason is the stable word for scripts.
func (e *HookError) Reason() string { return "hook" }

// Hint says what to do next.
func (e *HookError) Hint() string {
	if e.Kind == "Job" {
		return fmt.Sprintf("see what its pods say: kubectl logs -n %s job/%s", cmp.Or(e.Namespace, "default"), e.Name)
	}
	return "see what it says of itself: kubectl describe"
}

// hook is an object that is no part of the release, but of the way to it.
type hook struct {
	want    *unstructured.Unstructured
	events  []string // pre-install
	deletes []string // deleteBefore
	weight  int
}

// withoutHooks parts the hooks from the objects of a release. Hooks are in the order in which they run.
func withoutHooks(objs []*unstructured.Unstructured) (rest []*unstructured.Unstructured, hooks []hook) {
	for _, u := range objs {
		events := words(u, hookAnnotation)
		if len(events) == 0 {
			rest = append(rest, u)
			continue
		}
		h := hook{want: u, events: events, deletes: words(u, deleteAnnotation)}
		if len(h.deletes) == 0 {
			h.deletes = []string{deleteBefore}
		}
		h.weight, _ = strconv.Atoi(u.GetAnnotations()[weightAnnotation]) // Helm takes what is no number for 0
		hooks = append(hooks, h)
	}
	slices.SortStableFunc(hooks, func(a, b hook) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.want.GetName(), b.want.GetName()), order(a.want, b.want))
	})
	return rest, hooks
}

// words are the items of an annotation that is a list.
func words(u *unstructured.Unstructured, annotation string) []string {
	var list []string
	for word := range strings.SplitSeq(u.GetAnnotations()[annotation], ",") {
		if word = strings.ToLower(strings.TrimSpace(word)); word != "" {
			list = append(list, word)
		}
	}
	return list
}

// due are the hooks that run before ("pre") or after ("post") the objects, each with its event.
func (p *plan) due(when string) (due []hook, events []string) {
	if p.run == nil {
		return nil, nil
	}
	for _, h := range p.hooks {
		event := when + "-upgrade"
		if names(p.install, idOf(h.want)) {
			event = when + "-install"
		}
		if slices.Contains(h.events, event) {
			due, events = append(due, h), append(events, event)
		}
	}
	return due, events
}

// hookChanges lists the hooks that run.
func (p *plan) hookChanges() (changes []Change) {
	for _, when := range []string{"pre", "post"} {
		due, events := p.due(when)
		for i, h := range due {
			change := Change{ID: idOf(h.want), Action: Runs, Note: "a hook: " + events[i]}
			if isWork(h.want) && strings.HasSuffix(events[i], "-upgrade") && !p.undone(h) {
				change.OneWay = "what it does stays: its chart has no hook for a rollback"
			}
			changes = append(changes, change)
		}
	}
	return changes
}

// undone tells whether the chart of a hook has one for the way back. Hooks of no chart are taken together.
func (p *plan) undone(h hook) bool {
	chart := p.chartOf(h)
	return slices.ContainsFunc(p.hooks, func(other hook) bool {
		back := slices.Contains(other.events, "pre-rollback") || slices.Contains(other.events, "post-rollback")
		return back && p.chartOf(other) == chart
	})
}

// chartOf gives the place of a hook's chart among those of the release; -1 if it is of none.
func (p *plan) chartOf(h hook) int {
	return slices.IndexFunc(p.run.Charts, func(r HelmRelease) bool { return names(r.Hooks, idOf(h.want)) })
}

// isWork tells of what runs a program.
func isWork(u *unstructured.Unstructured) bool { return isJob(u) || isPod(u) }

// foreseeHooks lists the hooks that would run, those that the server refuses as conflicts. Of one that is there from an earlier
// run nothing can be asked: it is deleted first.
func (c *Cluster) foreseeHooks(ctx context.Context, p *plan) ([]Change, error) {
	changes := p.hookChanges()
	accept(changes, p.oneWay)
	for i := range changes {
		if err := c.tryHook(ctx, p, &changes[i]); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

func (c *Cluster) tryHook(ctx context.Context, p *plan, change *Change) error {
	if p.pending.namespaces[change.Namespace] || p.pending.kinds[change.groupKind()] {
		return nil
	}
	live, err := c.get(ctx, change.ID)
	if err == nil && live == nil {
		_, err = c.try(ctx, p.hookOf(change.ID))
	}
	if err == nil || noDryRun(err) || isLag(err) && p.pending.basics {
		return nil
	}
	note, fields, refused := refusal(err)
	if !refused {
		return c.failed("dry-run "+change.ID.String(), err)
	}
	change.Action, change.Fields, change.Note = Conflict, fields, note
	return nil
}

// hookOf gives the object of a hook.
func (p *plan) hookOf(id ID) *unstructured.Unstructured {
	i := slices.IndexFunc(p.hooks, func(h hook) bool { return idOf(h.want) == id })
	return p.hooks[i].want
}
