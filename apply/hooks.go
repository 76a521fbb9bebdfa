package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// hooked are the objects of a release that is to come, with the change for which its hooks run. A release that a person goes
// back to runs none of its own: those of the one that is left do their work backwards.
func (r *run) hooked(rel *slotRelease) kube.Objects {
	want := rel.objects()
	if r.journal.Phase == RollingBack || r.returning() {
		return want
	}
	want.Hooks = r.hooks()
	had, known := r.chartsHad()
	for _, c := range rel.descriptor.Charts {
		want.Hooks.Charts = append(want.Hooks.Charts, kube.HelmRelease{Name: c.Release, Namespace: c.Namespace, Hooks: refs(c.Hooks),
			New: known && !had[[2]string{c.Namespace, c.Release}]})
	}
	return want
}

// returning tells whether what is under way is that a person goes back to the previous release.
func (r *run) returning() bool {
	return r.journal.Attempt != nil && r.journal.Attempt.Verb == verbRollback
}

// hooks tells the target which hooks have run in this transaction, so that none is run again when it is taken up, and
// journals those that run.
func (r *run) hooks() *kube.Hooks {
	if r.journal.Attempt == nil {
		return &kube.Hooks{} // a dry run runs none
	}
	return &kube.Hooks{Run: fmt.Sprintf("%d %s", r.journal.Transaction, r.journal.Attempt.Began.UTC().Format(time.RFC3339)),
		Ended: r.journal.Hooks,
		End: func(hook string) error {
			return r.change(func(j *journal) { j.Hooks = append(slices.Clone(j.Hooks), hook) })
		}}
}

// chartsHad are the releases of charts, by namespace and name, that the current release of the site has. If it cannot be read,
// nothing is known: then no chart is taken for a new one.
func (r *run) chartsHad() (had map[[2]string]bool, known bool) {
	had = map[[2]string]bool{}
	if r.journal.Current == nil {
		return had, true
	}
	rel, err := r.loadSlot(*r.journal.Current)
	if err != nil {
		return nil, false
	}
	for _, c := range rel.descriptor.Charts {
		had[[2]string{c.Namespace, c.Release}] = true
	}
	return had, true
}

// undoHooks runs the rollback hooks of the release that is left: the one whose trial failed, or which a person goes back from.
// That one fails keeps nothing from being put back; the error
// is an interruption.
func (r *run) undoHooks(ctx context.Context, when string) error {
	var left *Release
	switch {
	case r.journal.Phase == RollingBack:
		left = r.journal.Trial
	case r.returning():
		left = r.journal.Current
	}
	if left == nil {
		return nil // later, what could not be put back is tried again
	}
	rel, err := r.loadSlot(*left)
	if err == nil {
		of := rel.objects()
		of.Hooks = r.hooks()
		err = r.target.Undo(ctx, of, when)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.say("note", "the %s-rollback hooks of %s: %s", when, left, oneLine(err.Error()))
	}
	return nil
}

// sayTakenOver names what Helm has installed on the target and the release takes over.
func (r *run) sayTakenOver(changes []kube.Change) {
	if taken := pick(changes, kube.Change.FromHelm); len(taken) > 0 {
		r.say("note", "%d objects: %s (%s)", len(taken), taken[0].Note, taken[0].ID)
	}
	if records := pick(changes, kube.Change.HelmRecord); len(records) > 0 {
		r.say("note", "%d Secrets: %s (%s)", len(records), records[0].Note, records[0].ID)
	}
}

// refs are the names of objects for the target.
func refs(list []bundle.ObjectRef) []kube.ID {
	ids := make([]kube.ID, len(list))
	for i, o := range list {
		ids[i] = kube.ID{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	}
	return ids
}
