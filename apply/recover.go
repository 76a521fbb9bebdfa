package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// A recovery rebuilds what a site has lost, from bundles that are full together: what they are built against is among them.
// It looks first (recoverlook.go), at bytes and not at names, and shows what it would do. What it does then are the steps of
// every other verb: a release that ran here is mended, one of which nothing is left is installed as a transaction. So a
// recovery that is cut short is taken up by the next one, or by any other verb.

// RecoverOptions say what a recovery may do, and what a person knows that the site does not know any more.
type RecoverOptions struct {
	// DryRun ends it after the look.
	DryRun bool
	// Index, unless 0, is the sequence that this site is known to have reached: no older release is taken.
	Index uint64
	// NewState takes an empty state folder for the site's although the disk that held it is not mounted.
	NewState bool
	// Retry takes a release that failed here before.
	Retry bool
	// K3s and Containerd are where the container runtime's settings go; empty: nowhere.
	K3s, Containerd string
	// Backup is what is known from a backup; nil without one.
	Backup *Backup
	// Agree, if set, is shown what would be done before anything is; its error ends the recovery.
	Agree func(*Recovery) error
}

// Recovery is what a look at a hurt site has found, and what Recover would do.
type Recovery struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Site       string `json:"site"`
	// Release will run; Ran is what is known to have run last, nil if nothing tells.
	Release Release  `json:"release"`
	Ran     *Release `json:"ran"`
	// First tells that nothing speaks for an earlier life of the site.
	First bool   `json:"first"`
	Lost  []Loss `json:"lost"` // in the order in which it is brought back
	Index Index  `json:"index"`
	// Bundles are those that will be read, in that order.
	Bundles []string `json:"bundles"`
	Steps   []string `json:"steps"`
	Notes   []string `json:"notes,omitempty"`
}

// Loss is something that a site has lost.
type Loss struct {
	Part string `json:"part"` // token, state, mirror, slots, objects, boot
	Text string `json:"text"`
}

// Index is how far the site had come: the highest sequence that was ever committed of its releases.
type Index struct {
	Known bool   `json:"known"`
	Value uint64 `json:"value"`          // 0 if it is not known
	From  string `json:"from,omitempty"` // what tells: the journal, the history and the slots, a backup, a person
}

// Recover rebuilds a site from bundles. There is a plan without a result after a dry run, and where something speaks against
// beginning; a result with an error is one of Apply.
func (s *Site) Recover(ctx context.Context, all []Candidate, o RecoverOptions) (res *Result, plan *Recovery, err error) {
	if err := s.unmounted(); err != nil && !o.NewState {
		err.Advice += "; sallyport recover --new-state BUNDLE does both"
		return nil, nil, err
	}
	r, err := s.look(verbRecover)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = r.end(err) }()
	r.remembered(o.Backup)
	set, err := r.openSupply(all, o.Backup)
	if err != nil {
		return nil, nil, err
	}
	defer set.close()
	v, err := r.survey(ctx, set, o)
	if v != nil {
		plan = &v.plan
	}
	if err != nil || o.DryRun {
		return nil, plan, err
	}
	if o.Agree != nil {
		if err := o.Agree(plan); err != nil {
			return nil, plan, err
		}
	}
	if err := r.settleIn(o); err != nil {
		return nil, plan, err
	}
	res, err = r.rebuild(ctx, set, v, o)
	if res != nil {
		res.Bytes.Read = set.read()
	}
	if ctx.Err() != nil && err != nil {
		err = r.interrupted(ctx)
	}
	return res, plan, err
}

// settleIn makes a run that may change the site of one that has looked at it.
func (r *run) settleIn(o RecoverOptions) error {
	if err := r.deps.Disk.MkdirAll(r.cfg.Spec.State, 0o755); err != nil {
		return stateError(err)
	}
	if err := own("spec.state", r.cfg.Spec.State); err != nil {
		return err
	}
	if r.lock == nil {
		l, err := takeLock(r.cfg.Spec.State, r.verb)
		if err != nil {
			return err
		}
		r.lock = l
	}
	if o.NewState && r.unmounted() != nil {
		if err := r.mark(true); err != nil {
			return err
		}
	}
	if err := r.open(); err != nil {
		return err
	}
	r.remembered(o.Backup)
	return r.makeFolder()
}

// rebuild brings back what the look has found to be lost, and proves it.
func (r *run) rebuild(ctx context.Context, set *supply, v *survey, o RecoverOptions) (*Result, error) {
	stuck := r.resume(ctx)
	if stuck != nil && !r.helpable(ctx, stuck) {
		return nil, stuck
	}
	if r.rebootDue {
		return r.concluded()
	}
	r.outcome = nil
	if v.whole() && stuck == nil {
		r.say("note", "nothing is lost: %s runs", r.journal.Current)
		return r.result(ResultNothing, r.journal.Current), nil
	}
	if err := r.fillMirror(ctx, set, v); err != nil {
		return nil, err
	}
	res, err := r.bringToRun(ctx, set, v, o, stuck)
	if err != nil || res.Result == ResultArmed {
		return res, err
	}
	if err := r.refillPrevious(ctx, set); err != nil {
		return res, err
	}
	return r.proved(ctx, res)
}

// fillMirror deletes what is damaged in the mirror, and loads it with what the release is built against.
func (r *run) fillMirror(ctx context.Context, set *supply, v *survey) error {
	if err := r.openMirror(ctx); err != nil {
		return err
	}
	if v.report != nil {
		if err := r.deps.Drop(ctx, r.mirror, v.report); err != nil {
			return err
		}
	}
	for _, b := range set.before {
		before := r.bytes.Pushed
		b.used = true
		if err := r.reload(ctx, b.bundle); err != nil {
			return err
		}
		r.mended("what the mirror lacked of %s (%s), which %s is built against", b.about, size(r.bytes.Pushed-before), set.target.about)
	}
	return nil
}

// bringToRun has the release run that the recovery is about: by mending it where it is known to have run, or else as a
// transaction of its own.
func (r *run) bringToRun(ctx context.Context, set *supply, v *survey, o RecoverOptions, stuck error) (*Result, error) {
	b, j := set.target, r.journal
	switch {
	case j.Current != nil && j.Current.same(b.about):
		return r.mendAll(ctx, b, v, o, stuck)
	case stuck != nil && j.Phase != RollingBack:
		return nil, stuck
	case stuck != nil:
		if err := r.forward(ctx, b.bundle, b.about, Options{Retry: o.Retry}, stuck); err != nil {
			return nil, err
		}
	case j.Previous != nil && j.Previous.same(b.about):
		return r.result(ResultRecovered, j.Current), nil // refillPrevious does it
	default:
		if err := r.accept(ctx, b.bundle, b.about, Options{Retry: o.Retry}); err != nil {
			return nil, err
		}
	}
	b.used = true
	if err := r.walk(ctx); err != nil {
		return nil, err
	}
	if r.journal.Phase == Written {
		if err := r.tellRuntime(b, o); err != nil {
			return nil, err
		}
	}
	r.anyTime = true // nothing that works is disturbed
	return r.goOn(ctx)
}

// mendAll brings back all of the current release.
func (r *run) mendAll(ctx context.Context, b *supplied, v *survey, o RecoverOptions, stuck error) (*Result, error) {
	d := r.damageOf(ctx, *r.journal.Current)
	d.everything = v.lacks > 0
	if err := r.mendStores(ctx, b.bundle, d); err != nil {
		return nil, err
	}
	b.used = r.bundle == b.bundle
	if err := r.tellRuntime(b, o); err != nil {
		return nil, err
	}
	if stuck != nil {
		if err := r.resume(ctx); err != nil {
			return nil, err
		}
	}
	if r.journal.Phase == Idle || r.journal.Phase == Written {
		if err := r.restore(ctx); err != nil {
			return nil, err
		}
		r.mendedObjects(v)
		if err := r.checkedAgain(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.recordRecovery(); err != nil {
		return nil, err
	}
	return r.result(ResultRecovered, r.journal.Current), nil
}

// mendedObjects tells of the objects that were missing.
func (r *run) mendedObjects(v *survey) {
	if v.missing > 0 {
		r.mended("%d objects", v.missing)
	}
}

// recordRecovery adds a recovery that was no transaction to the history.
func (r *run) recordRecovery() error {
	a := Attempt{Transaction: r.journal.Transaction + 1, Release: *r.journal.Current, Verb: verbRecover, Result: ResultRecovered,
		Began: r.began.UTC(), Ended: r.deps.Now().UTC()}
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return err
	}
	return r.change(func(j *journal) { j.Transaction = a.Transaction })
}

// refillPrevious brings back the previous release, if a bundle of it is there and something of it is lost.
func (r *run) refillPrevious(ctx context.Context, set *supply) error {
	p := r.journal.Previous
	if p == nil {
		return nil
	}
	d := r.damageOf(ctx, *p)
	b := set.of(*p)
	if d.slot == nil && d.mirror == nil {
		return nil
	}
	if b == nil || b.used && d.slot != nil {
		r.say("note", "%s is not whole and cannot be rolled back to: sallyport mirror fsck --repair BUNDLE, with %s", p, bundleOf(*p))
		return nil
	}
	if b.used {
		return nil // the mirror was filled from it
	}
	d.everything, b.used = true, true
	return r.refill(ctx, b.bundle, p, d)
}

// tellRuntime writes the settings by which the container runtime finds the mirror.
func (r *run) tellRuntime(b *supplied, o RecoverOptions) error {
	files, err := r.runtimeFiles(b.bundle.Descriptor(), o)
	if err != nil || len(files) == 0 {
		return err
	}
	changed, err := mirror.WriteFiles(files, false)
	if errors.Is(err, mirror.ErrForeignFile) {
		r.say("note", "%s, and it stays as it is: sallyport mirror config --force replaces it", oneLine(err.Error()))
		err = nil
	}
	for _, f := range changed {
		r.mended("%s, by which the container runtime finds the mirror", f)
	}
	return err
}

// proved reads what was rebuilt: slots, mirror and target.
func (r *run) proved(ctx context.Context, res *Result) (*Result, error) {
	c := r.journal.Current
	if c == nil {
		return res, nil
	}
	held, err := r.loadSlot(*c)
	if err != nil {
		return res, unproved(c, err)
	}
	report, err := r.deps.Scrub(ctx, r.mirror, []*bundle.Descriptor{held.descriptor})
	if err == nil {
		_, bad, asked := lacking(ctx, r.mirror, held.descriptor, true)
		err = errors.Join(bad, asked)
	}
	if err != nil {
		return res, unproved(c, err)
	}
	if n := len(report.Problems); n > 0 {
		return res, unproved(c, fmt.Errorf("the mirror still lacks %d things of it", n))
	}
	if err := r.openTarget(ctx); err != nil {
		return res, unproved(c, err)
	}
	drift, err := r.target.Drift(ctx, held.objects())
	if err != nil {
		return res, unproved(c, err)
	}
	for _, d := range drift {
		if d.Missing {
			return res, unproved(c, fmt.Errorf("%s is missing on the target", d.ID))
		}
	}
	res.Drift, res.Mended = drift, r.broughtBack
	res.Proved = append(res.Proved, fmt.Sprintf("slot %s holds %s", c.Slot, c),
		fmt.Sprintf("the mirror gives every byte of its %d images (%s read)", len(held.descriptor.Images), size(report.Bytes)),
		fmt.Sprintf("none of its %d objects is missing on the target", held.descriptor.Manifests.Objects))
	for _, p := range res.Proved {
		r.say("proved", "%s", p)
	}
	return res, nil
}

// unproved tells that a recovery came to its end, and that what it made does not stand.
func unproved(c *Release, err error) error {
	return &Error{Word: "person", Text: fmt.Sprintf("%s was recovered, and is not whole", c), Err: err,
		Advice: "check the disk and the mirror, then run the same command again; sallyport doctor tells more"}
}
