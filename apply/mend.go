package apply

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/verify"
)

// A bundle of a release that the site has brings back what the site has lost of it: its slot, what of it is in the
// mirror, the record of the slot that runs, the journal. Nothing of that is a transaction, for the release does not change:
// every step may be done again.

// damage is what does not verify of a release.
type damage struct {
	slot    error // nil if the slot holds it
	record  bool  // the record says that another slot runs, or nothing
	mirror  error // nil if the mirror serves it, or if it cannot be asked
	unasked error // why the mirror could not be asked
	journal error // why the journal had to be made up
	// everything: load all that the mirror lacks, whatever a look at the images says.
	everything bool
}

func (d damage) none() bool {
	return d.slot == nil && !d.record && d.mirror == nil && d.journal == nil
}

// damageOf looks at a release of the site.
func (r *run) damageOf(ctx context.Context, rel Release) (d damage) {
	d.journal = r.journal.lost
	held, err := r.loadSlot(rel)
	d.slot = err
	runs := r.journal.Current != nil && r.journal.Current.same(rel)
	if runs {
		running, err := r.backend.Running(ctx)
		d.record = err != nil || running != rel.Slot
	}
	if d.slot != nil {
		return d // what the mirror has to hold stood there
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if d.unasked = r.openMirror(ctx); d.unasked == nil {
		_, d.mirror, d.unasked = lacking(ctx, r.mirror, held.descriptor, runs)
	}
	if d.unasked != nil {
		d.unasked = unasked(ctx, d.unasked)
	}
	return d
}

// mend brings back what is damaged of the current release, from a bundle of it, and puts it on the target again. Where nothing
// is, it looks for what differs on the target.
func (r *run) mend(ctx context.Context, b *verify.Bundle, o Options) (*Result, error) {
	d := r.damageOf(ctx, *r.journal.Current)
	if ctx.Err() != nil {
		return nil, r.interrupted(ctx)
	}
	if d.unasked != nil {
		r.say("note", "the mirror was not asked: %s", oneLine(d.unasked.Error()))
	}
	if d.none() && !o.Repair {
		r.say("note", "%s runs already", r.journal.Current)
		return r.compared(ctx)
	}
	if !d.none() {
		if err := r.mendCurrent(ctx, b, d); err != nil {
			if ctx.Err() != nil {
				return nil, r.interrupted(ctx)
			}
			return nil, err
		}
	}
	if o.Repair {
		return r.repaired(ctx)
	}
	return r.result(ResultNothing, r.journal.Current), nil
}

func (r *run) mendCurrent(ctx context.Context, b *verify.Bundle, d damage) error {
	if err := r.mendStores(ctx, b, d); err != nil {
		return err
	}
	if err := r.restore(ctx); err != nil {
		return err
	}
	return r.checkedAgain(ctx)
}

// mendStores brings back what the site itself holds of the current release: all but its objects on the target.
func (r *run) mendStores(ctx context.Context, b *verify.Bundle, d damage) error {
	if err := r.refill(ctx, b, r.journal.Current, d); err != nil {
		return err
	}
	if d.record {
		r.mended("the record of the slot that runs")
	}
	if d.journal != nil {
		r.mended("the journal, as far as history and slots tell")
	}
	return nil
}

// checkedAgain says that a person is needed if the current release fails its checks.
func (r *run) checkedAgain(ctx context.Context) error {
	failed, err := r.recheck(ctx)
	if err != nil {
		return err
	}
	if err := r.change(func(j *journal) { j.NeedsPerson = oneLine(failed) }); err != nil {
		return err
	}
	if failed != "" {
		return personError(failed)
	}
	return nil
}

// refill brings back the slot of a release and what the mirror lacks of it. which is the journal's: from now on it names
// the bundle that filled the slot.
func (r *run) refill(ctx context.Context, b *verify.Bundle, which *Release, d damage) error {
	if d.slot == nil && d.mirror == nil && !d.everything {
		return nil
	}
	before := r.bytes.Pushed
	if err := r.reload(ctx, b); err != nil {
		return err
	}
	if pushed := r.bytes.Pushed - before; pushed > 0 || d.mirror != nil {
		r.mended("what the mirror lacked of %s (%s)", which, size(pushed))
	}
	if d.slot == nil {
		return nil
	}
	content, err := r.slotContent(which.Overlays)
	if err != nil {
		return err
	}
	if err := r.slots.Fill(which.Slot, content); err != nil {
		return err
	}
	r.mended("slot %s with %s", which.Slot, which)
	return r.change(func(j *journal) {
		for _, rel := range []**Release{&j.Current, &j.Previous, &j.Staged, &j.Trial} {
			if *rel == which {
				filled := *which
				filled.Digest = b.ReleaseDigest()
				*rel = &filled
			}
		}
	})
}

// mended notes what was brought back.
func (r *run) mended(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	r.broughtBack = append(r.broughtBack, what)
	r.say("mended", "%s", what)
}

// mendable tells whether a run that cannot take up what another left may be helped by a bundle of the current release.
func (r *run) mendable(ctx context.Context, err error) bool {
	if ctx.Err() != nil || isStateError(err) || r.journal.Current == nil {
		return false
	}
	return !r.damageOf(ctx, *r.journal.Current).none()
}

// helpable tells whether any bundle may help a run that cannot take up what another left.
func (r *run) helpable(ctx context.Context, err error) bool {
	if ctx.Err() != nil || isStateError(err) || r.rebootDue {
		return false
	}
	return r.journal.Phase == RollingBack || r.mendable(ctx, err)
}

// takenUp mends the current release and takes up what could not be taken up without it.
func (r *run) takenUp(ctx context.Context, b *verify.Bundle, stuck error) (*Result, error) {
	d := r.damageOf(ctx, *r.journal.Current)
	if d.none() {
		return nil, stuck
	}
	if err := r.refill(ctx, b, r.journal.Current, d); err != nil {
		if ctx.Err() != nil {
			return nil, r.interrupted(ctx)
		}
		return nil, err
	}
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	return r.result(ResultNothing, r.journal.Current), nil
}

// unknown refuses what must not be done on a site whose journal is lost: what was made up of the rest does not tell what
// was under way.
func (r *run) unknown() error {
	if r.journal.lost == nil {
		return nil
	}
	p := r.lostJournal(r.journal)
	return errorf("person", p.Mend, "%s", p.Text)
}

// bundleOf names what a person has to find.
func bundleOf(r Release) string { return "a bundle of " + strings.TrimSpace(r.String()) }
