package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// askTime bounds how long the mirror is asked when nobody has to load it.
const askTime = 5 * time.Second

// Health is what a look at the site found. Nothing is changed by it.
type Health struct {
	// Problems are what is lost or damaged, the worst first.
	Problems []Problem `json:"problems"`
	// Mirror says how the mirror is: "6 images, complete", or why it was not asked.
	Mirror string `json:"mirror"`
	// Busy says which sallyport works on the site now: "pid 123, apply". Free tells that none does. With neither, this user
	// may not know.
	Busy string `json:"busy,omitempty"`
	Free bool   `json:"free"`
}

// Problem is one thing that is lost or damaged.
type Problem struct {
	Text string `json:"problem"` // what, of which release
	Mend string `json:"mend"`    // the one command that helps, and what it wants
}

// String is the problem as one sentence.
func (p Problem) String() string { return p.Text + ": " + p.Mend }

// Examine reads journal and slots, and asks the mirror for every blob of the releases in them. It takes a few seconds at
// most, also where the mirror does not answer. What this user may not read is not told of.
func (s *Site) Examine(ctx context.Context) Health {
	h := Health{Problems: []Problem{}, Mirror: "not asked"}
	if err := s.unmounted(); err != nil {
		h.Problems = append(h.Problems, Problem{err.Text, err.Advice})
		return h
	}
	busy, err := whoHolds(s.cfg.Spec.State)
	h.Busy, h.Free = busy, err == nil && busy == ""
	j, err := s.readJournal()
	if err != nil {
		h.Problems = append(h.Problems, problemOf(err))
		return h
	}
	switch {
	case s.deleted() && j.Transaction == 0:
		h.Problems = append(h.Problems, Problem{fmt.Sprintf("the state folder %s was emptied", s.cfg.Spec.State),
			"sallyport apply BUNDLE, with a full bundle of the release that ran here"})
	case j.lost != nil:
		h.Problems = append(h.Problems, s.lostJournal(j))
	}
	held := s.examineSlots(&h, j)
	s.examineMirror(ctx, &h, held)
	return h
}

func problemOf(err error) Problem {
	p := Problem{Text: oneLine(err.Error()), Mend: "sallyport doctor tells more"}
	var e *Error
	if errors.As(err, &e) && e.Advice != "" {
		p.Mend = e.Advice
	}
	return p
}

// lostJournal says that the journal is lost, and of which release a bundle helps.
func (s *Site) lostJournal(j *journal) Problem {
	text := fmt.Sprintf("the journal %s is lost (%s)", s.journalPath(), oneLine(j.lost.Error()))
	if j.Current == nil {
		return Problem{text, "sallyport apply BUNDLE, with a full bundle of the release that ran here"}
	}
	return Problem{text + fmt.Sprintf("; by what else there is, %s ran", j.Current), "sallyport apply BUNDLE, with " + bundleOf(*j.Current)}
}

// heldRelease is a release that a slot holds, and the command that mends it.
type heldRelease struct {
	Release
	descriptor *bundle.Descriptor
	mend       string
	runs       bool // so the mirror's tags are its own
}

// examineSlots reads the slots of the releases that the journal names.
func (s *Site) examineSlots(h *Health, j *journal) (all []heldRelease) {
	for _, x := range []struct {
		rel  *Release
		mend string
	}{
		{j.Current, "sallyport apply BUNDLE"},
		{j.Previous, "sallyport mirror fsck --repair BUNDLE"},
		{j.Staged, "sallyport stage BUNDLE"},
	} {
		if x.rel == nil || x.rel == j.Staged && j.Phase != Written {
			continue
		}
		d, err := s.heldIn(s.Slots(), *x.rel, x.rel.Slot)
		mend := x.mend + ", with " + bundleOf(*x.rel)
		switch {
		case errors.Is(err, fs.ErrPermission):
			// another user's
		case err != nil:
			h.Problems = append(h.Problems, Problem{fmt.Sprintf("%s is lost: %s", x.rel, oneLine(err.Error())), mend})
		default:
			all = append(all, heldRelease{*x.rel, d, mend, x.rel == j.Current && (j.Phase == Idle || j.Phase == Written)})
		}
	}
	if c := j.Current; c != nil && (j.Phase == Idle || j.Phase == Written) {
		if running, err := s.Slots().NoBackend().Running(context.Background()); err != nil || running != c.Slot {
			h.Problems = append(h.Problems, Problem{fmt.Sprintf("the record of the slot that runs is lost; it is slot %s", c.Slot),
				"sallyport apply BUNDLE, with " + bundleOf(*c)})
		}
	}
	return all
}

// examineMirror asks for everything that the releases need. A mirror that none needs anything of need not be there.
func (s *Site) examineMirror(ctx context.Context, h *Health, all []heldRelease) {
	if len(all) == 0 {
		return
	}
	all = slices.DeleteFunc(all, func(x heldRelease) bool { return len(x.descriptor.Images) == 0 })
	if len(all) == 0 {
		h.Mirror = "0 images, complete"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, done, err := s.lookAtMirror(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		h.Mirror = "gone"
		h.Problems = append(h.Problems, Problem{fmt.Sprintf("the mirror %s is gone", s.cfg.Spec.Mirror.Dir), all[0].mend})
		return
	}
	if err != nil {
		h.Mirror = "not asked: " + oneLine(unasked(ctx, err).Error())
		return
	}
	images, whole := 0, true
	for _, x := range all {
		images += len(x.descriptor.Images)
		lacks, damage, err := lacking(ctx, m, x.descriptor, x.runs)
		if err != nil {
			h.Mirror = "not asked: " + oneLine(unasked(ctx, err).Error())
			_ = done() // it does not answer
			return
		}
		if damage != nil {
			whole = false
			h.Problems = append(h.Problems, Problem{fmt.Sprintf("the mirror lacks something of %d of the %d images of %s (%s)",
				lacks, len(x.descriptor.Images), x.Release, oneLine(damage.Error())), x.mend})
		}
	}
	h.Mirror = fmt.Sprintf("%d images, complete", images)
	if !whole {
		h.Mirror = fmt.Sprintf("%d images, not all of them whole", images)
	}
	if err := done(); err != nil {
		h.Mirror += ": " + oneLine(err.Error())
	}
}

// lookAtMirror opens the mirror for reading only.
func (s *Site) lookAtMirror(ctx context.Context) (ImageStore, func() error, error) {
	if s.deps.LookAtMirror != nil {
		return s.deps.LookAtMirror(ctx)
	}
	return s.deps.OpenMirror(ctx)
}

// unasked says why the mirror could not be asked: err, or that askTime is over, of which an error tells less.
func unasked(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("it did not answer within %s", seconds(askTime.Seconds()))
	}
	return err
}

// lacking asks the mirror for the images of a release, and with tags set for their names too: how many are not whole, and
// what is wrong with one of them. err tells that the mirror does not answer.
func lacking(ctx context.Context, m ImageStore, d *bundle.Descriptor, tags bool) (images int, damage, err error) {
	sizes := sizesOf(d)
	var broken atomic.Int64
	faults := make([]error, len(d.Images))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askers)
	for i, img := range d.Images {
		g.Go(func() error {
			err := m.CheckImage(ctx, img, sizes, nil)
			if err == nil && tags {
				err = m.CheckTag(ctx, img)
			}
			if errors.Is(err, mirror.ErrNotFound) || errors.Is(err, mirror.ErrDamaged) {
				faults[i] = err
				broken.Add(1)
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return 0, nil, err
	}
	for _, f := range faults {
		if f != nil {
			return int(broken.Load()), f, nil
		}
	}
	return 0, nil, nil
}
