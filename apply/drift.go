package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

// driftTime bounds how long the target is asked what differs when nobody has to put it right.
const driftTime = 5 * time.Second

// repairCommand is what puts back what differs.
const repairCommand = "sallyport apply --repair"

// ExamineTarget tells which objects on the target differ from the current release, and in one line how they are. drift is nil
// if that cannot be told, and the line says why. It changes nothing and takes a few seconds at most.
func (s *Site) ExamineTarget(ctx context.Context) (text string, drift []kube.Difference) {
	j, err := s.readJournal()
	switch {
	case err != nil || s.unmounted() != nil:
		return "not asked", nil
	case j.Current == nil:
		return "none", []kube.Difference{}
	case j.Phase != Idle && j.Phase != Written:
		return "not asked: they are being changed", nil
	}
	rel, err := s.slotRelease(*j.Current)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "not asked: only the site's owner may read the slots", nil
	case err != nil:
		return "not asked: the slot cannot be read", nil
	}
	ctx, cancel := context.WithTimeout(ctx, driftTime)
	defer cancel()
	t, err := s.deps.OpenTarget(ctx)
	if err == nil {
		drift, err = t.Drift(ctx, rel.objects())
	}
	if err != nil {
		return "not asked: " + oneLine(untold(ctx, err).Error()), nil
	}
	if len(drift) == 0 {
		return fmt.Sprintf("as %s has them", j.Current), []kube.Difference{}
	}
	return Differ(drift), drift
}

// slotRelease reads a release from its slot, for looking only.
func (s *Site) slotRelease(rel Release) (*slotRelease, error) {
	held, err := s.Slots().Load(rel.Slot)
	if err != nil {
		return nil, err
	}
	return openRelease(rel, held)
}

// untold says why the target did not tell: err, or that driftTime is over, of which an error tells less.
func untold(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the target did not answer within %s", seconds(driftTime.Seconds()))
	}
	return err
}

// Differ says which objects differ: "2 objects differ: ConfigMap shop/a (data.mode); Deployment shop/b (missing)".
func Differ(drift []kube.Difference) string {
	const most = 3
	text := fmt.Sprintf("%d objects differ: ", len(drift))
	if len(drift) == 1 {
		text = "1 object differs: "
	}
	for i, d := range drift {
		if i == most {
			return text + fmt.Sprintf("; and %d more", len(drift)-most)
		}
		if i > 0 {
			text += "; "
		}
		text += oneLine(d.String())
	}
	return text
}

// compared ends a verb that had nothing to do, with what differs on the target.
func (r *run) compared(ctx context.Context) (*Result, error) {
	text, drift := r.ExamineTarget(ctx)
	if ctx.Err() != nil {
		return nil, r.interrupted(ctx)
	}
	if drift == nil {
		r.say("note", "objects %s", text)
	}
	res := r.result(ResultNothing, r.journal.Current)
	res.Drift = drift
	return res, nil
}

// RepairTarget puts right what differs on the target from the release that runs, and runs the release's checks.
func (s *Site) RepairTarget(ctx context.Context) (res *Result, err error) {
	r, err := s.beginKnown(verbApply)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	if r.journal.Current == nil {
		return nil, errorf("usage", "sallyport apply BUNDLE installs one", "there is nothing to repair: this site runs no release")
	}
	return r.repaired(ctx)
}

// notRunning refuses to repair by a bundle of another release.
func notRunning(about Release, current *Release) error {
	runs := "no release"
	if current != nil {
		runs = current.String()
	}
	return errorf("usage", repairCommand+" without a bundle repairs what runs", "%s does not run here: this site runs %s", about, runs)
}

// repaired puts right what differs on the target. The release does not change, so that all of it may be done again: it has
// no phase of its own.
func (r *run) repaired(ctx context.Context) (*Result, error) {
	err := r.repairObjects(ctx)
	if ctx.Err() != nil {
		return nil, r.interrupted(ctx)
	}
	if err != nil {
		return nil, err
	}
	return r.result(ResultNothing, r.journal.Current), nil
}

func (r *run) repairObjects(ctx context.Context) error {
	if err := r.openAll(ctx); err != nil {
		return err
	}
	rel, err := r.loadSlot(*r.journal.Current)
	if err != nil {
		return err
	}
	inventory, err := r.target.Inventory(ctx, rel.objects())
	if err != nil {
		return err
	}
	if err := r.change(func(j *journal) { j.Live = j.Live.Union(inventory) }); err != nil {
		return err
	}
	rep, err := r.target.Repair(ctx, rel.objects())
	if err != nil {
		return err
	}
	if len(rep.Changes)+len(rep.Left) == 0 {
		r.say("note", "nothing differs from %s", r.journal.Current)
		return nil
	}
	for _, c := range rep.Changes {
		note := ""
		if c.Note != "" {
			note = " (" + c.Note + ")"
		}
		r.mended("%s%s", c.ID, note)
	}
	if err := r.recordRepair(rep); err != nil {
		return err
	}
	if err := r.checkedAgain(ctx); err != nil {
		return err
	}
	if len(rep.Left) > 0 {
		return &kube.RefusedError{Target: fmt.Sprint(r.target), Refused: rep.Left}
	}
	return nil
}

// recordRepair adds the repair to the history.
func (r *run) recordRepair(rep *kube.Repaired) error {
	a := Attempt{Transaction: r.journal.Transaction + 1, Release: *r.journal.Current, Verb: repairCommand[len("sallyport "):], Result: resultRepaired,
		Began: r.began.UTC(), Ended: r.deps.Now().UTC(), Left: first(leftOf(rep.Left))}
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return err
	}
	return r.change(func(j *journal) { j.Transaction = a.Transaction })
}
