package kube

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What kubectl and Helm apply by themselves, and not by the server, they own as any program does that writes to an object: a
// server-side apply leaves their fields, and those that the release does not have would stay for ever. So an object that is
// taken over is taken over whole. What it was is in the record, and comes back with it.

// deployers are the managers of programs that apply whole objects from the client's side.
var deployers = []string{"kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl", "helm", "before-first-apply"}

func isDeployers(f metav1.ManagedFieldsEntry) bool {
	return slices.Contains(deployers, f.Manager) && f.Operation == metav1.ManagedFieldsOperationUpdate && f.Subresource == ""
}

// takeFromDeployers makes of to, an object that is about to be taken over, one without what the deployers of the live one own
// and the release does not want. It returns their names; empty if there are none, or the object is ours already.
func takeFromDeployers(live, to *unstructured.Unstructured, claim owned) (from string) {
	theirs := ownersAmong(live, isDeployers)
	if len(theirs) == 0 || written(live) {
		return ""
	}
	// One by one, as if the others were not there: what several of them own goes, too.
	others := ownersAmong(to, func(f metav1.ManagedFieldsEntry) bool { return !isDeployers(f) && !isOurApply(f) })
	for _, o := range theirs {
		takeBack(to.Object, o.fields, claim, append([]owner{o}, others...))
	}
	to.SetManagedFields(slices.DeleteFunc(to.GetManagedFields(), isDeployers))
	return ownersText(theirs)
}

// takeOver returns what an object becomes that is taken over whole, and from whom it is taken. after is what an apply makes of
// it. nil if nobody has applied it from the client's side.
func takeOver(live, after *unstructured.Unstructured) (to *unstructured.Unstructured, from string) {
	_, claim := claimOf(after)
	to = after.DeepCopy()
	if from = takeFromDeployers(live, to, claim); from == "" {
		return nil, ""
	}
	return to, from
}

func ownersAmong(u *unstructured.Unstructured, which func(metav1.ManagedFieldsEntry) bool) []owner {
	some := &unstructured.Unstructured{Object: map[string]any{}}
	some.SetManagedFields(slices.DeleteFunc(slices.Clone(u.GetManagedFields()), func(f metav1.ManagedFieldsEntry) bool { return !which(f) }))
	return ownersOf(some)
}

// askTakeOver makes the item one that is taken over whole, if it is applied from the client's side and is accepted so.
func (c *Cluster) askTakeOver(ctx context.Context, it *item, live, after *unstructured.Unstructured) bool {
	if live == nil {
		return false
	}
	to, from := takeOver(live, after)
	if to == nil || c.replace(ctx, live, to, client.DryRunAll) != nil {
		return false
	}
	it.taken = true
	it.change.Action, it.change.Fields, it.change.OneWay = Configured, differences(live, to), oneWay(live, to)
	if it.change.groupKind() == definitionKind {
		it.narrowed = narrowed(live, to)
	}
	it.change.Note += ", with the fields of " + from
	return true
}

// applyTaken takes an object over whole, as it is now, in one write.
func (c *Cluster) applyTaken(ctx context.Context, it *item) error {
	const tries = 5
	for n := 1; ; n++ {
		err := c.putTaken(ctx, it)
		switch {
		case err == nil:
			return nil
		case n == tries || !apierrors.IsConflict(err):
			return c.notApplied(it, err)
		}
	}
}

func (c *Cluster) putTaken(ctx context.Context, it *item) error {
	live, err := c.get(ctx, it.change.ID)
	if err != nil {
		return err
	}
	if live == nil {
		return c.send(ctx, it.want.DeepCopy())
	}
	after, err := c.try(ctx, it.want)
	forgetChance(after, live, it.want)
	if err != nil {
		return err
	}
	to, _ := takeOver(live, after)
	if to == nil { // somebody else has, or it is another object by now
		return c.send(ctx, it.want.DeepCopy())
	}
	if err := c.replace(ctx, live, to); err != nil {
		return err
	}
	return c.claim(ctx, it.want, live)
}

// handBack makes what the failed release had taken over from others as it was, and theirs again.
func (r *restoration) handBack(ctx context.Context, leaving Inventory) ([]Change, error) {
	var changes []Change
	for _, id := range leaving.IDs() {
		was := r.before.object(id)
		if was == nil || was.GetLabels()[OwnerLabel] != "" {
			continue
		}
		it := &item{want: was, change: Change{ID: id}}
		if err := r.hand(ctx, it, was); err != nil {
			if isTargetError(ctx, err) {
				return changes, r.c.failed("hand back "+id.String(), err)
			}
			it.change = Change{ID: id, Action: Conflict, Note: noteOf(err)}
		}
		if it.change.Action != "" {
			changes = append(changes, it.change)
		}
	}
	return changes, nil
}

const handedBack = "it is handed back as it was before"

func (r *restoration) hand(ctx context.Context, it *item, was *unstructured.Unstructured) error {
	const tries = 5
	for n := 1; ; n++ {
		live, err := r.c.getAnyVersion(ctx, it.change.ID)
		switch {
		case err != nil:
			return err
		case live == nil || live.GetLabels()[OwnerLabel] == "" && !written(live):
			return nil // gone by somebody else's doing, or handed back
		case live.GetAPIVersion() != was.GetAPIVersion():
			return &leftError{"it is known under another version than it was"}
		}
		e := &expectation{full: was, recorded: true, others: true}
		owners := ownersOf(live)
		to := e.settle(live, owners)
		to.SetFinalizers(finalizersThen(was, live, owners))
		to.SetManagedFields(managersThen(was, live))
		it.change = Change{ID: it.change.ID, Action: Configured, Fields: differences(live, to), Note: handedBack}
		err = r.c.replace(ctx, live, to)
		if isImmutable(err) && !holdsData(live) {
			it.change.Action = Recreated
			return r.handNew(ctx, live, was)
		}
		if err == nil {
			return r.c.disown(ctx, it.change.ID, managersThen(was, live))
		}
		if n == tries || !apierrors.IsConflict(err) {
			return err
		}
	}
}

// managersThen are those of before, and the controllers that have come since.
func managersThen(was, live *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	out := was.GetManagedFields()
	for _, f := range live.GetManagedFields() {
		if controllers.MatchString(f.Manager) && !slices.ContainsFunc(out, func(o metav1.ManagedFieldsEntry) bool {
			return o.Manager == f.Manager && o.Subresource == f.Subresource && o.Operation == f.Operation
		}) {
			out = append(out, f)
		}
	}
	return out
}

// disown takes the entry of the last write away: the fields are others'.
func (c *Cluster) disown(ctx context.Context, id ID, to []metav1.ManagedFieldsEntry) error {
	live, err := c.get(ctx, id)
	if err != nil || live == nil {
		return err
	}
	if len(to) == 0 {
		to = []metav1.ManagedFieldsEntry{{}}
	}
	return c.setManagers(ctx, live, to)
}

// handNew makes an object anew that cannot be made as it was otherwise.
func (r *restoration) handNew(ctx context.Context, live, was *unstructured.Unstructured) error {
	if _, err := r.c.asNew(ctx, asWritten(was)); err != nil {
		return err
	}
	if err := r.c.remove(ctx, live); err != nil {
		return err
	}
	if err := r.c.client.Create(ctx, asWritten(was), client.FieldOwner(FieldManager)); err != nil {
		return err
	}
	return r.c.disown(ctx, idOf(was), was.GetManagedFields())
}

// asWritten is an object without what the server counts and with what made it theirs left out: as it would be written by hand.
func asWritten(was *unstructured.Unstructured) *unstructured.Unstructured {
	again := was.DeepCopy()
	metadata := map[string]any{"name": was.GetName()}
	for _, part := range []string{"namespace", "labels", "annotations"} {
		if v, ok, _ := unstructured.NestedFieldNoCopy(was.Object, "metadata", part); ok {
			metadata[part] = v
		}
	}
	again.Object["metadata"] = metadata
	unstructured.RemoveNestedField(again.Object, "status")
	return again
}
