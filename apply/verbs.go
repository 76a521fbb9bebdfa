package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// The verbs that begin transactions, as the journal and the history name them.
const (
	verbApply    = "apply"
	verbStage    = "stage"
	verbRollback = "rollback"
	verbConfirm  = "confirm"
	verbRecover  = "recover"
)

// Options are for Stage and Apply.
type Options struct {
	// Retry takes a release although it failed its trial here before.
	Retry bool
	// Repair puts right what differs on the target from the release that runs, which must be the bundle's.
	Repair bool
	// Now goes on outside the site's windows, and in its blackouts.
	Now bool
}

// Stage verifies the bundle, loads the mirror with it and fills the slot that does not run. Nothing that runs changes.
func (s *Site) Stage(ctx context.Context, in Input, o Options) (*Result, error) {
	return s.take(ctx, verbStage, in, o)
}

// Apply stages the bundle, switches to its release and commits it if its checks pass. If they do not, what ran before
// runs again: then there is a result as well as an error, whose reason is "rolled-back".
func (s *Site) Apply(ctx context.Context, in Input, o Options) (*Result, error) {
	return s.take(ctx, verbApply, in, o)
}

func (s *Site) take(ctx context.Context, verb string, in Input, o Options) (res *Result, err error) {
	r, err := s.begin(verb)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	return r.take(ctx, in, o)
}

// take is take for a verb that has the lock.
func (r *run) take(ctx context.Context, in Input, o Options) (res *Result, err error) {
	r.anyTime = o.Now
	leftover := r.journal.Phase
	stuck := r.resume(ctx)
	if stuck != nil && !r.helpable(ctx, stuck) {
		return nil, stuck
	}
	b, counter, err := r.verified(in, r.journal)
	if err != nil {
		return nil, err
	}
	r.read = counter
	defer func() {
		if res != nil {
			res.Bytes.Read = counter.n
		}
	}()
	about := r.releaseHere(b.Descriptor(), b.ReleaseDigest())
	switch {
	case stuck != nil && r.journal.Current != nil && r.journal.Current.same(about):
		return r.takenUp(ctx, b, stuck)
	case stuck != nil && r.journal.Phase != RollingBack:
		return nil, stuck
	case stuck != nil:
		if err := r.forward(ctx, b, about, o, stuck); err != nil {
			return nil, err
		}
		return r.goOn(ctx)
	case r.decided(about, leftover):
		return r.concluded() // this very release was under way
	case r.rebootDue && r.journal.Trial.sameHere(about) && r.verb != verbStage:
		return r.concluded()
	case r.journal.Current != nil && r.journal.Current.sameHere(about):
		return r.mend(ctx, b, o)
	case r.journal.Current != nil && r.journal.Current.same(about):
		r.say("note", "%s", r.relabelled(*r.journal.Current, b.Descriptor()))
	case o.Repair:
		return nil, notRunning(about, r.journal.Current)
	}
	r.outcome = nil
	if r.verb != verbStage {
		if err := r.gate(b.Descriptor(), o.Now); err != nil {
			return nil, err
		}
	}
	if r.rebootDue {
		if err := r.standDown(ctx); err != nil {
			return nil, err
		}
	}
	if r.stagedAlready(about) {
		r.say("note", "%s is staged already", about)
		if err := r.fits(b.Descriptor(), r.journal); err != nil {
			return nil, err
		}
	} else if err := r.accept(ctx, b, about, o); err != nil {
		return nil, err
	}
	if r.verb == verbStage && r.journal.Phase == Written {
		return r.result(ResultStaged, r.journal.Staged), nil
	}
	return r.goOn(ctx)
}

// goOn walks a transaction that has begun to where the verb wants it.
func (r *run) goOn(ctx context.Context) (*Result, error) {
	r.switching = r.verb != verbStage
	if err := r.walk(ctx); err != nil {
		return nil, err
	}
	return r.concluded()
}

// stagedAlready tells whether about is what is staged. What is staged from another bundle of the release counts only as long
// as it may be switched to: the later bundle may be there because the earlier one has expired.
func (r *run) stagedAlready(about Release) bool {
	if r.journal.Phase != Written || !r.journal.Staged.sameHere(about) {
		return false
	}
	if _, err := r.loadSlot(*r.journal.Staged); err != nil {
		return false
	}
	return r.journal.Staged.Digest == about.Digest || r.stillGood() == nil
}

// decided tells whether this run, which found the transaction in the phase leftover, has brought that of the release to
// its end. A release that was only still to be taken back, and was not to blame, is tried anew.
func (r *run) decided(about Release, leftover Phase) bool {
	o := r.outcome
	if o == nil || !o.sameHere(about) || o.Result == resultInterrupted {
		return false
	}
	return o.Result != ResultRolledBack || leftover != RollingBack || r.journal.isBad(about)
}

// ApplyStaged switches to the release that Stage has brought.
func (s *Site) ApplyStaged(ctx context.Context, o Options) (res *Result, err error) {
	r, err := s.beginKnown(verbApply)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	if r.journal.Phase != Written {
		if r.outcome != nil {
			return r.concluded()
		}
		return nil, errorf("usage", "stage a bundle first: sallyport stage BUNDLE", "nothing is staged")
	}
	if err := r.stillGood(); err != nil {
		return nil, err
	}
	r.anyTime = o.Now
	return r.goOn(ctx)
}

// Confirm finishes what an earlier run left: a trial, or a rollback. On a site that needs a person because the current
// release failed its checks, it runs them again.
func (s *Site) Confirm(ctx context.Context) (res *Result, err error) {
	r, err := s.beginKnown(verbConfirm)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	if r.outcome != nil || r.rebootDue {
		return r.concluded()
	}
	if r.journal.Unrestored != "" {
		return nil, errorf("person", confirmAgain, "%s", r.journal.Unrestored)
	}
	if r.journal.NeedsPerson != "" && r.journal.Current != nil {
		if err := r.wellAgain(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.keepBoot(ctx); err != nil {
		return nil, err
	}
	return r.result(ResultNothing, r.journal.Current), nil
}

// Overdue ends a trial of another boot slot that nobody has confirmed: its release goes back like one whose checks failed. A way back
// that was cut short there goes on. Where neither is, it does nothing. A verb that is still at work on the trial is not waited for: the
// machine has to boot again, which spends a try.
func (s *Site) Overdue(ctx context.Context) (res *Result, err error) {
	r, err := s.beginKnown(verbConfirm)
	if err != nil {
		var held *Error
		if j, readErr := s.readJournal(); readErr == nil && j.Reboot != nil && j.Phase != RollingBack && errors.As(err, &held) && held.Word == "locked" {
			return nil, &Error{Word: "reboot", Text: fmt.Sprintf("nobody has confirmed %s in time", j.Trial), Err: err,
				Advice: "reboot this machine: the boot loader goes on"}
		}
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if r.journal.Reboot == nil {
		return r.result(ResultNothing, r.journal.Current), nil
	}
	if booted, err := r.booted(ctx); err != nil || booted != r.journal.Trial.Boot {
		return r.result(ResultNothing, r.journal.Current), err
	}
	switch r.journal.Phase {
	case Armed, Trial:
		err = r.turnBack()
	case RollingBack: // which was cut short, or whose reboot never came
	default:
		return r.result(ResultNothing, r.journal.Current), nil
	}
	if err == nil {
		err = r.walk(ctx)
	}
	if err != nil {
		return nil, err
	}
	return r.concluded()
}

// turnBack ends a trial that runs and that nobody has confirmed.
func (r *run) turnBack() error {
	after := r.cfg.Spec.Slots.deadline()
	return r.change(func(j *journal) {
		j.Phase, j.Reboot = RollingBack, j.Reboot.touched()
		j.markBad(*j.Trial)
		remember(nil, fmt.Sprintf("nobody confirmed it within %s of the boot", after))(j)
	})
}

// wellAgain forgets that a person was needed if the current release passes its checks now.
func (r *run) wellAgain(ctx context.Context) error {
	if err := r.openAll(ctx); err != nil {
		return err
	}
	failed, err := r.recheck(ctx)
	if err != nil {
		return r.stopped(ctx, err)
	}
	if err := r.change(func(j *journal) { j.NeedsPerson = oneLine(failed) }); err != nil {
		return err
	}
	if failed != "" {
		return personError(failed)
	}
	return nil
}

// RollbackOptions say what becomes of the site's data on the way back to a release with another operating system. Without either,
// it is an error, whose reason is "data", if they have changed since that release ran.
type RollbackOptions struct {
	KeepData    bool // leave them as they are
	RestoreData bool // put back what was saved when that release was left
}

// Rollback goes back to the previous release. While a release is on trial that is the end of the trial.
func (s *Site) Rollback(ctx context.Context, o RollbackOptions) (res *Result, err error) {
	r, err := s.beginKnown(verbRollback)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if ended, err := r.endTrial(ctx); ended || err != nil {
		if err != nil {
			return nil, err
		}
		return r.asked()
	}
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	if r.rebootDue {
		return r.asked() // that is under way already
	}
	if r.outcome != nil && r.outcome.Verb == verbRollback {
		return r.concluded()
	}
	r.outcome = nil
	if err := r.toPrevious(ctx, o); err != nil {
		return nil, err
	}
	return r.goOn(ctx)
}

// endTrial rolls back a release that an earlier run left on trial, if there is one.
func (r *run) endTrial(ctx context.Context) (ended bool, err error) {
	j := r.journal
	if (j.Phase != Armed && j.Phase != Trial) || j.Attempt.Verb == verbRollback {
		return false, nil
	}
	due := j.Reboot
	if due != nil && r.mayHaveRun(ctx) {
		due = due.touched()
	}
	err = r.change(func(j *journal) {
		j.Phase, j.Reboot = RollingBack, due
		j.PutBack = &PutBack{Release: *j.Trial, At: r.began.UTC()}
		remember(nil, "ended by sallyport rollback")(j)
	})
	if err != nil {
		return true, err
	}
	return true, r.walk(ctx)
}

// toPrevious begins the way back to the previous release. What is staged in its slot is given up.
func (r *run) toPrevious(ctx context.Context, o RollbackOptions) error {
	if r.journal.Phase == Written && r.journal.Outgoing != nil {
		if err := r.abandon(resultInterrupted, "given up by sallyport rollback"); err != nil {
			return err
		}
		r.outcome = nil
	}
	if r.journal.Previous == nil {
		return errorf("usage", "apply the bundle of the release that is wanted", "there is no previous release to roll back to")
	}
	previous := *r.journal.Previous
	restore := ""
	if current := r.journal.Current; current != nil && current.Boot != previous.Boot {
		var err error
		if restore, err = r.chooseData(ctx, o); err != nil {
			return err
		}
	}
	prepared, err := r.preflight(ctx, previous, r.journal.Transaction+1)
	if err != nil {
		return r.stopped(ctx, err)
	}
	return r.start(previous, func(j *journal) {
		j.Phase, j.Trial, j.Staged, j.Previous, j.Attempts = Armed, &previous, nil, nil, 0
		prepared(j)
		if j.Reboot != nil {
			j.Reboot.Restore = restore
		}
	})
}

// concluded turns the end of a transaction into what a verb returns.
func (r *run) concluded() (*Result, error) {
	if r.rebootDue && r.journal.Phase == RollingBack {
		return r.result(ResultArmed, r.journal.Current), r.due()
	}
	if r.rebootDue {
		return r.result(ResultArmed, r.journal.Trial), nil
	}
	if r.outcome == nil {
		return r.result(ResultStaged, r.journal.Staged), nil
	}
	about := r.outcome.Release
	switch {
	case r.outcome.Reason != "":
		return r.result(r.outcome.Result, &about), r.rolledBackError()
	case r.outcome.Result == resultInterrupted:
		return r.result(ResultNothing, r.journal.Current), nil // a load that was given up has changed nothing
	case r.outcome.Result == ResultRolledBack:
		// The verb rollback has done its work: the release that was left is the one that was rolled back.
		return r.result(ResultRolledBack, r.journal.Previous), nil
	}
	return r.result(r.outcome.Result, &about), nil
}

// asked is concluded for a rollback that somebody asked for: that it was one is no failure.
func (r *run) asked() (*Result, error) {
	if r.rebootDue || r.outcome.Result != ResultRolledBack {
		return r.concluded()
	}
	about := r.outcome.Release
	return r.result(ResultRolledBack, &about), nil
}

func (r *run) rolledBackError() error {
	text := fmt.Sprintf("%s failed: %s", r.outcome.Release, r.outcome.Reason)
	hint := "mend what is named, which sallyport doctor looks at, too; then apply the release again"
	if r.journal.isBad(r.outcome.Release) {
		hint = "there is nothing to do here: tell those who sent the release; sallyport history tells more"
	}
	switch {
	case r.journal.NeedsPerson != "":
		return personError(text + "; " + r.journal.NeedsPerson)
	case r.journal.Current == nil:
		return errorf("rolled-back", hint, "%s; the site is empty again%s", text, r.butFor())
	}
	return errorf("rolled-back", hint, "%s; %s runs again%s", text, r.journal.Current, r.butFor())
}

// butFor names what a rollback has left.
func (r *run) butFor() string {
	text, leaving := "", stuckAmong(r.journal.Leaving)
	if n := len(r.journal.Left); n > 0 {
		text += fmt.Sprintf(", but %d of its objects could not be put back (%s)", n, named(r.journal.Left))
	}
	if n := len(leaving); n > 0 {
		text += fmt.Sprintf(", and %d objects are still there (%s)", n, named(leaving))
	}
	return text
}

func personError(text string) error {
	return errorf("person", "look at what is named; sallyport confirm runs the checks again", "%s", text)
}

// judge says whether a transaction about the release could begin here and now, and what would have to be loaded. It
// changes nothing.
func (r *run) judge(ctx context.Context, d *bundle.Descriptor, about Release, o Options) (*plan, error) {
	if r.journal.isBad(about) && !o.Retry {
		return nil, errorf("bad", "ask for a newer release, or try it again with --retry",
			"%s failed its trial on this site before", about)
	}
	if p := r.journal.PutBack; p != nil && p.same(about) && !o.Retry {
		return nil, errorf("put-back", "sallyport apply --retry takes it again; a newer release needs no word",
			"a person rolled this site back from %s on %s", about, p.At.Format("2006-01-02 15:04 MST"))
	}
	if err := r.fitsNow(d); err != nil {
		return nil, err
	}
	if err := r.readyToSwitch(ctx, d); err != nil {
		return nil, err
	}
	if err := r.openMirror(ctx); err != nil {
		return nil, err
	}
	p, err := r.newPlan(ctx, d)
	if err != nil {
		return nil, err
	}
	if p.boot, err = r.bootFor(ctx, d); err != nil {
		return nil, err
	}
	return p, r.roomFor(p)
}

// accept judges whether the release fits this site, and begins its transaction.
func (r *run) accept(ctx context.Context, b *verify.Bundle, about Release, o Options) error {
	p, err := r.judge(ctx, b.Descriptor(), about, o)
	if err != nil {
		return r.stopped(ctx, err)
	}
	return r.takeIn(b, p, about)
}

// takeIn begins the transaction of a release that was judged.
func (r *run) takeIn(b *verify.Bundle, p *plan, about Release) error {
	r.bundle, r.plan = b, p
	about.Slot, about.Boot = r.journal.inactive(), p.boot
	if r.journal.Current == nil && p.boot != slot.None {
		about.Slot = p.boot // so that both are called the same
	}
	signers := signerNames(b.Report())
	return r.start(about, func(j *journal) {
		j.Phase, j.Staged, j.Attempt.Signers = Verified, &about, signers
	})
}

func releaseOf(d *bundle.Descriptor, dgst digest.Digest) Release {
	return Release{Name: d.Name, Version: d.Version, Sequence: d.Sequence, Digest: dgst, Identity: d.Identity()}
}
