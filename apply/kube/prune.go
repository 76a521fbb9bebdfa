package kube

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Prune deletes what prev lists and keep does not, as far as the package's rules allow, and waits until it is gone, for the
// time to settle or until shortly before ctx ends. An object whose deletion is refused, or takes longer, is a change with
// the action Leaving, not an error: Prune tries it again when it is called again. So is one that cannot be read, which does
// not mean that it is not there.
func (c *Cluster) Prune(ctx context.Context, prev, keep Inventory) ([]Change, error) {
	return c.prune(ctx, prev.Minus(keep), false)
}

// pruning is one run of prune.
type pruning struct {
	c       *Cluster
	dry     bool
	leaving map[ID]bool // what prune has been asked to delete
	gone    map[ID]bool // what is, or would be, deleted by now
	deleted []*unstructured.Unstructured
	owner   string // the release of the namespace that is judged
}

func (c *Cluster) prune(ctx context.Context, leaving Inventory, dry bool) ([]Change, error) {
	p := &pruning{c: c, dry: dry, gone: map[ID]bool{}, leaving: leaving.set()}
	custom, rest := backwards(leaving)
	changes, err := p.all(ctx, custom)
	if err != nil {
		return changes, err
	}
	// What a custom resource takes with it is known to its controller alone, which may be leaving, too.
	if i := slices.IndexFunc(changes, func(c Change) bool { return c.Action == Leaving }); i >= 0 {
		for _, id := range rest {
			changes = append(changes, Change{ID: id, Action: Leaving, Note: "it stays for as long as " + changes[i].String() + " does, which may need it"})
		}
		return changes, nil
	}
	more, err := p.all(ctx, rest)
	return append(changes, more...), err
}

// all deletes objects in their order, and waits until they are gone.
func (p *pruning) all(ctx context.Context, ids []ID) (changes []Change, err error) {
	p.deleted = nil
	for _, id := range ids {
		change, err := p.one(ctx, id)
		if err != nil {
			return changes, err
		}
		if change != nil {
			changes = append(changes, *change)
		}
	}
	return changes, p.wait(ctx, changes)
}

// backwards is the order of applying from its end: what stands on something goes before it, and custom resources before
// all that may be their controllers.
func backwards(v Inventory) (custom, rest []ID) {
	objs := make([]*unstructured.Unstructured, 0, v.Len())
	for _, id := range v.IDs() {
		objs = append(objs, id.object())
	}
	slices.SortStableFunc(objs, func(a, b *unstructured.Unstructured) int {
		if d := int(stageOf(b)) - int(stageOf(a)); d != 0 {
			return d
		}
		return order(b, a)
	})
	// Namespaces last, even after the kinds: what is left in them decides.
	slices.SortStableFunc(objs, func(a, b *unstructured.Unstructured) int {
		return btoi(utils.IsNamespace(a)) - btoi(utils.IsNamespace(b))
	})
	for _, u := range objs {
		if isCustom(u.GroupVersionKind().Group) {
			custom = append(custom, idOf(u))
		} else {
			rest = append(rest, idOf(u))
		}
	}
	return custom, rest
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// one decides on an object, and deletes it. It returns nil for one that is not there.
func (p *pruning) one(ctx context.Context, id ID) (*Change, error) {
	live, err := p.c.getAnyVersion(ctx, id)
	switch {
	case isUnreadable(err):
		return &Change{ID: id, Action: Leaving, Note: "it cannot be read: " + tidy(err.Error())}, nil
	case err != nil:
		return nil, p.c.failed("look at "+id.String(), err)
	case live == nil, live.GetAnnotations()[HookAnnotation] != "": // what has become a hook is no longer of the release
		p.gone[id.key()] = true
		return nil, nil
	}
	action, why, err := p.judge(ctx, live)
	switch {
	case err != nil:
		return nil, err
	case action == GivenUp && !p.dry:
		err = p.giveUp(ctx, live)
	}
	if action != Pruned || err != nil {
		return &Change{ID: id, Action: action, Note: why}, err
	}
	if !p.dry {
		if err := p.c.delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			if note, _, ok := refusal(err); ok {
				return &Change{ID: id, Action: Leaving, Note: "it cannot be deleted: " + note}, nil
			}
			return nil, err
		}
		p.deleted = append(p.deleted, live)
	}
	p.gone[id.key()] = true
	return &Change{ID: id, Action: Pruned, OneWay: cmp.Or(why, deletedAway(live))}, nil
}

// getAnyVersion looks for an object under the version in which it was applied, or whichever the server has now.
func (c *Cluster) getAnyVersion(ctx context.Context, id ID) (*unstructured.Unstructured, error) {
	version, ok, err := c.learnAny(ctx, id.groupKind().WithVersion(id.Version))
	if err != nil || !ok {
		return nil, err // or the kind itself is gone
	}
	id.Version = version
	return c.get(ctx, id)
}

// wait waits for what was deleted, all of it together for the time to settle, and notes what is still there.
func (p *pruning) wait(ctx context.Context, changes []Change) error {
	end := p.c.settled()
	if limit, ok := ctx.Deadline(); ok && limit.Add(-pollInterval).Before(end) {
		end = limit.Add(-pollInterval)
	}
	for _, u := range p.deleted {
		err := p.c.waitGone(ctx, u, end)
		if err == nil {
			continue
		}
		var hanging *notSettled
		if !errors.As(err, &hanging) {
			return err
		}
		i := slices.IndexFunc(changes, func(c Change) bool { return c.key() == idOf(u).key() })
		changes[i].Action, changes[i].Note = Leaving, "it"+strings.TrimPrefix(hanging.missing, idOf(u).String())
	}
	return nil
}
