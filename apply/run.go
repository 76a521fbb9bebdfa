package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/verify"
)

// run is one verb at work: it holds the lock, and of the state nothing but what is on disk.
type run struct {
	*Site
	verb    string
	began   time.Time
	lock    *lock // nil on a site that has no state yet, and gets none
	journal *journal
	slots   *slot.Store
	backend slot.Backend
	loader  slot.Loader // nil until it is needed, and on a site without one

	mirror      Mirror // nil until it is needed
	closeMirror func() error
	target      Target

	// bundle is what the verb was given; nil when the run takes up what another left.
	bundle *verify.Bundle
	plan   *plan
	parts  *partsPlan // how its parts get to a boot slot; nil: they do not
	// sums are digests of what was read of the slot that runs.
	sums map[extent]digest.Digest
	// switching: go on from written. anyTime: whatever the windows say.
	switching, anyTime bool
	// rebootDue: another boot slot runs after the next reboot.
	rebootDue bool

	// away: the target could not be asked when a check last did so.
	away bool

	bytes Bytes
	read  *counter   // what was read of the bundle; nil without one
	seen  *testimony // what is known of the transaction under way, for its receipt
	boot  *string    // the id of the running boot, once it was asked for
	// broughtBack is what mend has brought back.
	broughtBack []string
	// outcome is how the transaction that this run walked ended; nil if none has.
	outcome *Attempt
}

// begin locks the site for verb and reads its state.
func (s *Site) begin(verb string) (r *run, err error) {
	if err := s.unmounted(); err != nil {
		return nil, err
	}
	if err := s.deps.Disk.MkdirAll(s.cfg.Spec.State, 0o755); err != nil {
		return nil, stateError(err)
	}
	if err := own("spec.state", s.cfg.Spec.State); err != nil {
		return nil, err
	}
	l, err := takeLock(s.cfg.Spec.State, verb)
	if err != nil {
		return nil, err
	}
	r = &run{Site: s, verb: verb, began: s.deps.Now(), lock: l}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return r, nil
}

// beginKnown is begin for the verbs that rely on what the journal tells.
func (s *Site) beginKnown(verb string) (*run, error) {
	r, err := s.begin(verb)
	if err != nil {
		return nil, err
	}
	if err := r.unknown(); err != nil {
		return nil, r.end(err)
	}
	return r, nil
}

func (r *run) open() (err error) {
	if err := r.mark(false); err != nil {
		return err
	}
	if err := r.deps.Disk.Sweep(r.cfg.Spec.State); err != nil {
		return stateError(err)
	}
	// What an earlier run spooled is worth nothing: only the bundle tells what belongs together.
	if err := os.RemoveAll(r.tempPath()); err != nil {
		return stateError(err)
	}
	if r.slots, err = slot.Open(r.slotsPath(), r.deps.Disk); err != nil {
		return err
	}
	r.backend = r.slots.NoBackend()
	if r.journal, err = r.readJournal(); err != nil {
		return err
	}
	if r.journal.Phase == Idle {
		r.dropBackups()
	}
	return errors.Join(r.dropAside(), r.dropRecords(), r.dropCopies())
}

// end gives everything back. It adds its own failure to err, if there is one.
func (r *run) end(err error) error {
	errs := []error{err}
	if r.closeMirror != nil {
		errs = append(errs, r.closeMirror())
	}
	if r.lock != nil {
		errs = append(errs, os.RemoveAll(r.tempPath()), r.lock.release())
	}
	return errors.Join(errs...)
}

// change journals what edit makes of the journal. If that fails, the run must end: memory knows no better than the
// disk, and the disk may have the old journal or the new one.
func (r *run) change(edit func(j *journal)) error {
	next := *r.journal
	edit(&next)
	next.dropSpoiled()
	if a := next.LastAttempted; a != nil && a.Evidence != nil {
		plain := *a
		plain.Evidence = nil // the history has it
		next.LastAttempted = &plain
	}
	if next.lost != nil {
		// What does not parse is kept for those who want to know why.
		if err := r.deps.Disk.SetAside(r.journalPath(), r.journalPath()+".damaged", 0o600); err != nil {
			return stateError(err)
		}
		next.lost = nil
	}
	if err := next.save(r.deps.Disk, r.journalPath()); err != nil {
		return err
	}
	r.journal = &next
	r.testify()
	return nil
}

// openMirror connects to the mirror, and starts it if it is the embedded one and nobody else serves it.
func (r *run) openMirror(ctx context.Context) error {
	if r.mirror != nil {
		return nil
	}
	m, done, err := r.deps.OpenMirror(ctx)
	if err != nil {
		return err
	}
	r.mirror, r.closeMirror = m, done
	return nil
}

func (r *run) openTarget(ctx context.Context) (err error) {
	if r.target == nil {
		r.target, err = r.deps.OpenTarget(ctx)
	}
	return err
}

// temp makes the folder for what a run spools.
func (r *run) temp() (string, error) {
	dir := r.tempPath()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", stateError(err)
	}
	return dir, nil
}

// result tells what the run did about a release.
func (r *run) result(what string, about *Release) *Result {
	res := newResult(what, r.journal, about)
	res.Bytes, res.Mended = r.bytes, r.broughtBack
	if r.outcome != nil && r.outcome.Checks != nil {
		res.Checks = r.outcome.Checks
	}
	res.Seconds = r.deps.Now().Sub(r.began).Round(time.Millisecond).Seconds()
	return res
}

// interrupted explains that a run was ended from outside and what becomes of the site.
func (r *run) interrupted(ctx context.Context) error {
	e := &Error{Word: "interrupted", Err: context.Cause(ctx), Text: "interrupted",
		Advice: "run the same command again: it goes on where it stopped"}
	switch r.journal.Phase {
	case Armed, Trial, Good:
		e.Text = fmt.Sprintf("interrupted while %s was on trial", r.journal.Trial)
		e.Advice = "sallyport confirm finishes the trial; sallyport rollback ends it"
	case RollingBack:
		e.Text = fmt.Sprintf("interrupted while %s was being rolled back", r.journal.Trial)
		e.Advice = "sallyport confirm finishes it"
	}
	return e
}
