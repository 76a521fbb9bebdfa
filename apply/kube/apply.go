package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	pollInterval = 200 * time.Millisecond
	// The server learns of a new kind, namespace or account a moment after it has accepted it.
	lagTime = 15 * time.Second
)

// Inventory lists the objects under the names by which the server will know them. It changes nothing. A caller that
// keeps it before Apply knows, whatever happens then, what Prune has to look for.
func (c *Cluster) Inventory(ctx context.Context, want Objects) (Inventory, error) {
	p, err := c.newPlan(ctx, want, Inventory{})
	if err != nil {
		return Inventory{}, err
	}
	return p.inventory(), nil
}

// DryRun says what Apply of want and then Prune of what left since prev would do, in that order. Objects that the
// server refuses, or for which a right is missing, are changes with the action Conflict, not errors.
func (c *Cluster) DryRun(ctx context.Context, want Objects, prev Inventory) ([]Change, error) {
	p, err := c.newPlan(ctx, want, prev)
	if err != nil {
		return nil, err
	}
	if err := c.ask(ctx, p); err != nil {
		return nil, err
	}
	if err := c.foresee(ctx, p); err != nil {
		return nil, err
	}
	if err := c.settleHooks(ctx, p); err != nil {
		return nil, err
	}
	hooks, err := c.foreseeHooks(ctx, p)
	if err != nil {
		return nil, err
	}
	held, err := c.holds(ctx, p, prev)
	if err != nil {
		return nil, err
	}
	p.await(held)
	pruned, err := c.prune(ctx, prev.Minus(p.inventory()), true)
	if err != nil {
		return nil, err
	}
	accept(pruned, want.OneWay)
	explain(pruned, held)
	changes := slices.Concat(p.changes(), hooks, p.records, pruned)
	return changes, c.checkRights(ctx, p, changes)
}

// Apply makes the objects be as wanted; applying them again changes nothing. prev is what this site may have on the
// target already: a caller may have added Inventory's answer to it. The inventory is that of want; if Apply stops
// half-way, part of it may not be there. An object that the server refuses is a *RefusedError. Changes that cannot be undone
// are DryRun's to tell and its caller's to refuse; but nothing with data is ever deleted to be created again unless want
// accepts it.
func (c *Cluster) Apply(ctx context.Context, want Objects, prev Inventory) (Inventory, []Change, error) {
	p, err := c.newPlan(ctx, want, prev)
	if err != nil {
		return Inventory{}, nil, err
	}
	if err := c.ask(ctx, p); err != nil {
		return p.inventory(), nil, err
	}
	if refused := refusedAmong(p.items()); len(refused) > 0 {
		return p.inventory(), nil, &RefusedError{Target: c.String(), Refused: refused}
	}
	// From here on an object waits for nothing that is still to come: stages are in order.
	p.pending = pending{}
	if err := c.settleHooks(ctx, p); err != nil {
		return p.inventory(), nil, err
	}
	if err := c.carryOut(ctx, p); err != nil {
		return p.inventory(), nil, err
	}
	return p.inventory(), slices.Concat(p.changes(), p.hookChanges(), p.records), nil
}

// carryOut does what is planned: kinds and namespaces, the hooks that come before, the objects in their waves, the hooks that
// come after.
func (c *Cluster) carryOut(ctx context.Context, p *plan) error {
	if err := c.applyStage(ctx, p, p.stages[stageDefinitions]); err != nil {
		return err
	}
	if err := c.established(ctx, p.stages[stageDefinitions]); err != nil {
		return err
	}
	if err := c.runHooks(ctx, p, "pre"); err != nil {
		return err
	}
	if err := c.applyWaves(ctx, p); err != nil {
		return err
	}
	return c.runHooks(ctx, p, "post")
}

func (c *Cluster) applyStage(ctx context.Context, p *plan, items []*item) error {
	if err := c.askAgain(ctx, p, items); err != nil {
		return err
	}
	if refused := refusedAmong(items); len(refused) > 0 {
		return &RefusedError{Target: c.String(), Refused: refused}
	}
	for _, same := range byKind(items) {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(c.config.Workers)
		for _, it := range same {
			g.Go(func() error { return c.applyOne(ctx, p, it) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// byKind cuts items, which are in order, where the kind changes: objects of one kind do not wait for each other.
func byKind(items []*item) (runs [][]*item) {
	for len(items) > 0 {
		n := slices.IndexFunc(items, func(it *item) bool { return it.change.ID.groupKind() != items[0].change.ID.groupKind() })
		if n < 0 {
			n = len(items)
		}
		runs, items = append(runs, items[:n]), items[n:]
	}
	return runs
}

// askAgain asks about the deferred items, now that what they waited for has been applied: in rounds, since the server may
// not have noticed yet, and since kinds are learned by one at a time.
func (c *Cluster) askAgain(ctx context.Context, p *plan, items []*item) error {
	var open []*item
	for _, it := range items {
		if !it.deferred {
			continue
		}
		if it.live != nil && it.live.GetDeletionTimestamp() != nil {
			if err := c.waitGone(ctx, it.live, c.settled()); err != nil {
				return err
			}
		}
		open = append(open, it)
	}
	for end := time.Now().Add(lagTime); len(open) > 0; {
		if err := c.askRound(ctx, p, open); err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(it *item) bool { return it.change.Action != Conflict || !isLag(it.err) })
		if time.Now().After(end) {
			return nil
		}
		if len(open) > 0 {
			if err := sleep(ctx, pollInterval); err != nil {
				return err
			}
		}
	}
	return nil
}

// askRound asks about items side by side, once.
func (c *Cluster) askRound(ctx context.Context, p *plan, items []*item) error {
	want := make([]*unstructured.Unstructured, len(items))
	for i, it := range items {
		want[i] = it.want
	}
	if err := c.learnKinds(ctx, want); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for _, it := range items {
		g.Go(func() error { return c.askOne(ctx, p, it, nil) })
	}
	return g.Wait()
}

// isLag tells of errors that a server gives which has accepted a kind, a namespace or an account a moment ago.
func isLag(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) ||
		err != nil && strings.Contains(err.Error(), "not declared in schema")
}

func (c *Cluster) applyOne(ctx context.Context, p *plan, it *item) error {
	switch {
	case it.change.Action == Unchanged && !it.claim:
		return nil
	case it.change.Action == Recreated && recreatedAway(it.live) != "" && !names(p.oneWay, it.change.ID):
		refused := Change{ID: it.change.ID, Action: Conflict, Note: it.change.Note + ", and " + recreatedAway(it.live)}
		return &RefusedError{Target: c.String(), Refused: []Change{refused}}
	case it.change.Action == Recreated:
		if err := c.remove(ctx, it.live); err != nil {
			return err
		}
	}
	if err := c.startAgain(ctx, it); err != nil {
		return err
	}
	switch {
	case it.taken:
		return c.applyTaken(ctx, it)
	case it.mended:
		return c.applyMended(ctx, it)
	}
	after := it.want.DeepCopy()
	err := c.send(ctx, after)
	switch {
	case err == nil:
		if it.untried && it.live != nil && it.live.GetUID() == after.GetUID() && it.live.GetResourceVersion() == after.GetResourceVersion() {
			it.change = Change{ID: it.change.ID, Action: Unchanged}
		}
		return nil
	case it.untried && it.change.Action != Recreated && it.mayBeRecreated(err):
		it.change.Action = Recreated
		return c.applyOne(ctx, p, it)
	}
	return c.notApplied(it, err)
}

// startAgain starts an object that made way for another.
func (c *Cluster) startAgain(ctx context.Context, it *item) error {
	if !it.stopped {
		return nil
	}
	live, err := c.get(ctx, it.change.ID)
	if err == nil {
		_, err = c.start(ctx, live)
	}
	if err != nil {
		return c.failed("start "+it.change.String(), err)
	}
	return nil
}

// notApplied is the error of an object that was not written.
func (c *Cluster) notApplied(it *item, err error) error {
	if note, fields, ok := refusal(err); ok {
		refused := Change{ID: it.change.ID, Action: Conflict, Note: note, Fields: fields}
		return &RefusedError{Target: c.String(), Refused: []Change{refused}}
	}
	return c.failed("apply "+it.change.String(), err)
}

// send applies an object server-side, or asks the server what would become of it; u is then what the server answers.
// Fields that the kind does not have are refused, not dropped.
func (c *Cluster) send(ctx context.Context, u *unstructured.Unstructured, more ...client.ApplyOption) error {
	opts := append([]client.ApplyOption{client.ForceOwnership, client.FieldOwner(FieldManager)}, more...)
	return c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), opts...)
}

// delete deletes the very object that was looked at, and what depends on it as told.
func (c *Cluster) delete(ctx context.Context, u *unstructured.Unstructured, dependents client.PropagationPolicy) error {
	uid := u.GetUID()
	err := c.client.Delete(ctx, u.DeepCopy(), dependents, client.Preconditions{UID: &uid})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or replaced by another since
	}
	return c.failed("delete "+idOf(u).String(), err)
}

// waitGone waits until the very object that was looked at is gone, or until end.
func (c *Cluster) waitGone(ctx context.Context, u *unstructured.Unstructured, end time.Time) error {
	id := idOf(u)
	return c.poll(ctx, end, func(ctx context.Context) (string, error) {
		live, err := c.get(ctx, id)
		switch {
		case meta.IsNoMatchError(err):
			return "", nil
		case err != nil:
			return "", c.failed("look at "+id.String(), err)
		case live == nil || live.GetUID() != u.GetUID():
			return "", nil
		}
		return fmt.Sprintf("%s is still being deleted (finalizers: %s)", id, strings.Join(finalizers(live), ", ")), nil
	})
}

func finalizers(u *unstructured.Unstructured) []string {
	list := u.GetFinalizers()
	// A namespace has its own in the spec.
	inSpec, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "finalizers")
	if list = append(list, inSpec...); len(list) == 0 {
		return []string{"none"}
	}
	return list
}

// established waits until the server knows the new kinds and namespaces.
func (c *Cluster) established(ctx context.Context, items []*item) error {
	end := c.settled()
	for _, it := range items {
		if it.change.Action == Unchanged {
			continue
		}
		id := it.change.ID
		err := c.poll(ctx, end, func(ctx context.Context) (string, error) {
			u, err := c.get(ctx, id)
			if err != nil {
				return "", c.failed("look at "+id.String(), err)
			}
			if u == nil {
				return id.String() + " is not there", nil
			}
			res, err := status.Compute(u)
			if err != nil {
				return "", fmt.Errorf("%s: %w", id, err)
			}
			if res.Status == status.CurrentStatus {
				return "", nil
			}
			return fmt.Sprintf("%s is not ready: %s", id, res.Message), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settled is when the time to settle, if it begins now, will be over.
func (c *Cluster) settled() time.Time { return time.Now().Add(c.config.Settle) }

// poll asks until nothing is missing, or until end.
func (c *Cluster) poll(ctx context.Context, end time.Time, ask func(context.Context) (missing string, err error)) error {
	tell := time.Now().Add(c.config.Hush)
	for told := ""; ; {
		missing, err := ask(ctx)
		if err != nil || missing == "" {
			return err
		}
		if missing != told && time.Now().After(tell) && c.config.Waiting != nil {
			c.config.Waiting(missing)
			told = missing
		}
		if time.Now().After(end) {
			return &TargetError{Target: c.String(), Doing: "go on", Advice: "find out what holds it up: kubectl describe, then try again",
				Err: &notSettled{missing, c.config.Settle}}
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// notSettled is the end of patience, as against a failure.
type notSettled struct {
	missing string // what was waited for, as a sentence
	waited  time.Duration
}

func (e *notSettled) Error() string { return fmt.Sprintf("%s after %s", e.missing, e.waited) }

func isNotSettled(err error) bool {
	var n *notSettled
	return errors.As(err, &n)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
