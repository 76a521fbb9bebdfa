package kube

import (
	"context"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// asRecorded makes an object of the release be as it was before the release that is taken back: with what people had changed
// by hand, and owned by whom it was. What controllers have written since stays. done is false where nothing is recorded,
// or where the server does not take it so: then the release says what the object is to be.
func (r *restoration) asRecorded(ctx context.Context, it *item, live *unstructured.Unstructured) (done bool, err error) {
	was := r.was(it, live)
	if was == nil || was.GetLabels()[OwnerLabel] != r.p.release || was.GetDeletionTimestamp() != nil {
		return false, nil
	}
	e := &expectation{full: was, recorded: true, others: true}
	owners := ownersOf(live)
	to := e.settle(live, owners)
	to.SetFinalizers(finalizersThen(was, live, owners))
	it.change.Action = Unchanged
	if !sameContent(live, to) {
		it.change.Action, it.change.Fields, it.change.Note = Configured, differences(live, to), e.noteOfOthers()
	} else if sameClaim(live, was) {
		return true, nil
	}
	then := managersThen(was, live)
	to.SetManagedFields(then)
	if err := r.c.replace(ctx, live, to); err != nil {
		return false, err
	}
	if err := r.c.disown(ctx, it.change.ID, then); err != nil {
		return false, err
	}
	return true, nil
}

// finalizersThen are those of before, and those that others than this site have set since.
func finalizersThen(was, live *unstructured.Unstructured, owners []owner) []string {
	then := was.GetFinalizers()
	known := map[string]bool{}
	for _, f := range then {
		known[f] = true
	}
	owners = under(under(owners, "f:metadata"), "f:finalizers")
	for _, f := range live.GetFinalizers() {
		if mine := under(owners, "v:"+strconv.Quote(f)); !known[f] && (len(mine) == 0 || !mine[0].ours) {
			then = append(then, f)
		}
	}
	return then
}
