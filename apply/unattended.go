package apply

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/sallyport-dev/sallyport/apply/inbox"
)

const verbRun = "run"

// maxSteps is how many releases one pass goes through.
const maxSteps = 16

// Why an unattended pass did nothing, as Result tells.
const (
	whyLocked  = "locked"  // another sallyport is at work
	whyFrozen  = "frozen"  // the site is frozen
	whyWindow  = "window"  // no window is open, or this site's time in it is not yet there
	whyHeld    = "held"    // the release waits for a person
	whyBackoff = "backoff" // something failed, and is tried again later
	whyCopying = "copying" // a bundle is still being copied
	whyClock   = "clock"   // the clock has been reset, so nobody knows whether a window is open
	whyLink    = "link"    // a bundle is still being fetched, or the link to it is down
)

// unattended is one pass.
type unattended struct {
	*run
	inboxes []inbox.Source
	failed  retries
	// What the last survey found: what may be switched to, the candidates that are bundles of that, and whether one is still being copied.
	// staged is the one that needs no bundle; nil if there is none.
	offers []*offer
	staged *offer
	fit    []inbox.Candidate
	waits  bool
	// before is what earlier passes had seen, seen what of that still counts, and more.
	before, seen *seenFiles
}

// Run is one unattended pass: it finishes what is under way, looks into the inboxes, stages the bundle that moves the site furthest,
// and switches to what is staged if that may be now. Where there is nothing to do, or not now, or another sallyport is at work,
// the result is "nothing" and tells why.
func (s *Site) Run(ctx context.Context, inboxes []inbox.Source) (res *Result, err error) {
	r, err := s.beginKnown(verbRun)
	var held *Error
	if errors.As(err, &held) && held.Word == "locked" {
		res := newResult(ResultNothing, newJournal(), nil)
		res.Why = whyLocked
		return res, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	u := &unattended{run: r, inboxes: inboxes}
	u.loadRetries()
	return u.pass(ctx)
}

func (u *unattended) pass(ctx context.Context) (*Result, error) {
	if !u.resting() {
		return u.leftover(ctx)
	}
	if u.journal.unsettled() && !u.later("left", "") {
		if err := u.again(ctx); err != nil {
			return nil, err
		}
		if u.journal.unsettled() {
			u.failedNow("left", "", false)
		} else {
			u.wellNow("left")
		}
	}
	var last *Result
	for range maxSteps {
		res, err := u.step(ctx)
		if err != nil || res.Result == ResultNothing && last == nil {
			return res, err
		}
		if res.Result == ResultNothing {
			break
		}
		if last = res; res.Result != ResultCommitted {
			break
		}
	}
	return last, nil
}

// leftover finishes or undoes what an earlier verb left, in a window or not.
func (u *unattended) leftover(ctx context.Context) (*Result, error) {
	if u.later("leftover", "") {
		return u.nothing(whyBackoff), nil
	}
	about := u.journal.Attempt.Release
	err := u.walk(ctx)
	if err != nil {
		if ctx.Err() == nil {
			u.failedNow("leftover", "", false)
		}
		return nil, err
	}
	u.wellNow("leftover")
	if !u.rebootDue {
		return u.undone(about)
	}
	if u.journal.Phase == Armed {
		rel, err := u.loadSlot(*u.journal.Trial)
		if err != nil {
			return nil, err
		}
		if err := u.gate(rel.descriptor, false); err != nil {
			return u.nothing(reasonOfError(err)), nil
		}
	}
	return u.concluded()
}

// undone is what came of a transaction that was left, about a release.
func (u *unattended) undone(about Release) (*Result, error) {
	res, err := u.concluded()
	var failed *Error
	if errors.As(err, &failed) && !u.journal.isBad(about) {
		u.failedNow(about.tried().String(), "", true)
	}
	return res, err
}

// step takes the site one release further, or finds that there is none to take.
func (u *unattended) step(ctx context.Context) (*Result, error) {
	if err := u.survey(ctx); err != nil {
		return nil, err
	}
	if res, err := u.toSafe(ctx); res != nil || err != nil {
		return res, err
	}
	o := u.next(u.offers)
	if o == nil || o.staged {
		u.rest()
	}
	if err := u.saveSeen(); err != nil {
		return nil, err
	}
	switch {
	case o == nil && u.waits:
		return u.nothing(whyCopying), nil
	case o == nil:
		return u.nothing(""), nil
	case u.later(o.release.tried().String(), ""):
		return u.nothing(whyBackoff), nil
	}
	staged := u.nothing("")
	if !o.staged {
		res, err := u.bring(ctx, o)
		if err != nil || res.Result != ResultStaged {
			return res, err
		}
		staged = res
	}
	if why, err := u.mayNot(o); err != nil || why != "" {
		staged.Why = why
		return staged, err
	}
	return u.switchTo(ctx, o)
}

// nothing is the result of a pass that changes nothing.
func (u *unattended) nothing(why string) *Result {
	res := u.result(ResultNothing, u.journal.Current)
	res.Why = why
	return res
}

// bring stages an offer, behind everything else that the machine does.
func (u *unattended) bring(ctx context.Context, o *offer) (*Result, error) {
	if err := u.fitForWork(); err != nil {
		return u.failedRelease(o, nil, err)
	}
	if u.deps.Background != nil {
		defer u.deps.Background()()
	}
	f, err := u.fetch(ctx, o)
	var link *inbox.LinkError
	switch {
	case ctx.Err() != nil:
		return nil, u.interrupted(ctx)
	case errors.As(err, &link) || errors.Is(err, context.DeadlineExceeded):
		return u.nothing(whyLink), nil
	case err != nil:
		return nil, err
	}
	defer f.Close()
	sub := u.sub(verbStage)
	res, err := sub.take(ctx, Input{Name: o.from.Name, Size: o.size, Reader: f}, Options{})
	err = u.rejoin(sub, err)
	if ctx.Err() != nil {
		return res, err
	}
	if o.from.Drop != nil && (err == nil || isFileFault(err)) {
		if dropped := o.from.Drop(); dropped != nil {
			u.say("note", "what was fetched is left: %s", oneLine(dropped.Error()))
		}
	}
	switch {
	case err == nil:
		return res, nil
	case isFileFault(err):
		return u.failedFile(o, err)
	}
	return u.failedRelease(o, res, err)
}

// fetch opens an offer's bundle. What a server has is brought here first, for as long as a pass may take about it: while it lasts the
// site is this pass's, and somebody may come with a stick.
func (u *unattended) fetch(ctx context.Context, o *offer) (io.ReadCloser, error) {
	if o.from.Fetch == nil {
		return o.from.Open(ctx)
	}
	if d, err := diskOf(u.cfg.Spec.State); err == nil && d.free < o.from.Size+sparedRoom {
		return nil, errorf("room", "make room there; sallyport run tries again by itself", "%s has %s free, and %s is %s",
			u.cfg.Spec.State, size(d.free), o.from.Name, size(o.from.Size))
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	return o.from.Fetch(ctx)
}

// fetchTime bounds how long one pass fetches a bundle; sparedRoom is left free by one, in bytes.
const (
	fetchTime  = 2 * time.Minute
	sparedRoom = 64 << 20
)

// isFileFault tells whether the bundle's bytes are at fault, and not the release or the site.
func isFileFault(err error) bool {
	switch reasonOfError(err) {
	case "format", "truncated", "digest", "io":
		return true
	}
	return false
}

// failedFile leaves a bundle alone that is not what its front says. While somebody may be writing to it that is no failure.
func (u *unattended) failedFile(o *offer, err error) (*Result, error) {
	u.failedNow("file:"+o.from.Name, o.from.ID, false)
	if age := u.deps.Now().Sub(o.from.Changed); age >= 0 && age < copyingTime {
		return u.nothing(whyCopying), nil
	}
	return nil, err
}

// copyingTime is how long after its last change a bundle that is not whole is taken for one that is still being copied.
const copyingTime = 10 * time.Minute

func (u *unattended) failedRelease(o *offer, res *Result, err error) (*Result, error) {
	if !u.journal.isBad(o.release) {
		var failed *Error
		trial := errors.As(err, &failed) && failed.Word == "rolled-back"
		u.failedNow(o.release.tried().String(), "", trial)
	}
	return res, err
}

// switchTo makes the staged release the one on trial and waits for the verdict.
func (u *unattended) switchTo(ctx context.Context, o *offer) (*Result, error) {
	sub := u.sub(verbApply)
	var res *Result
	err := sub.stillGood()
	if err == nil {
		res, err = sub.goOn(ctx)
	}
	err = u.rejoin(sub, err)
	switch {
	case ctx.Err() != nil:
		return res, err
	case err != nil && (reasonOfError(err) == whyFrozen || reasonOfError(err) == whyWindow):
		return u.nothing(reasonOfError(err)), nil
	case err != nil:
		return u.failedRelease(o, res, err)
	}
	u.wellNow(o.release.tried().String())
	return res, nil
}

// sub is another verb under the lock of the pass, and with the mirror of it if that is open.
func (u *unattended) sub(verb string) *run {
	return &run{Site: u.Site, verb: verb, began: u.deps.Now(), journal: u.journal, slots: u.slots, backend: u.backend, mirror: u.mirror}
}

// rejoin takes over what a verb under the lock of the pass has journalled, and drops what it has spooled.
func (u *unattended) rejoin(sub *run, err error) error {
	u.journal = sub.journal
	return sub.end(errors.Join(err, os.RemoveAll(u.tempPath())))
}

// mayNot says why the site does not switch to an offer in this pass; empty if it does.
func (u *unattended) mayNot(o *offer) (string, error) {
	switch {
	case u.holds(o.release, o.descriptor):
		return whyHeld, nil
	case u.deps.Now().Before(made) && !u.cfg.plan.Always():
		return whyClock, nil
	}
	if err := u.gate(o.descriptor, false); err != nil {
		return reasonOfError(err), nil
	}
	now, need := u.deps.Now(), u.needs(o.descriptor)
	if open, ok := u.cfg.plan.At(now); ok && len(u.cfg.plan.Windows) > 0 && o.descriptor.CatchUp != catchUpImmediate &&
		now.Before(open.Begin(u.cfg.Metadata.Name, need)) {
		return whyWindow, nil
	}
	if err := u.fitToSwitch(); err != nil {
		_, err := u.failedRelease(o, nil, err)
		return "", err
	}
	return "", nil
}

// reasonOfError is the stable word of an error; empty if it has none.
func reasonOfError(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return ""
}
