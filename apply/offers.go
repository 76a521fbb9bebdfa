package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/inbox"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/notice"
)

// offer is a release that an unattended pass could switch to, and the smallest bundle of it that the site can take.
type offer struct {
	release    Release
	descriptor *bundle.Descriptor
	from       inbox.Candidate
	size       int64
	// usable tells that the site holds the bases of the bundle now.
	usable bool
	// staged: it needs no bundle, for it is in the slot that does not run.
	staged bool
}

// maxOffers bounds the releases that are compared with one another.
const maxOffers = 256

// errUseless is why a bundle is passed over in silence: the site has what is in it, or never takes it.
var errUseless = errors.New("it is of no use here")

// errNotYet is why a bundle is passed over that is still being copied.
var errNotYet = errors.New("it is still being copied")

// survey finds out what the inboxes offer. What was looked at before is not read again, as long as neither it nor the site has
// changed, and nothing new has come that could lead on from it.
func (u *unattended) survey(ctx context.Context) error {
	u.staged = u.stagedOffer()
	u.before, u.offers, u.fit, u.waits = u.loadSeen(), nil, nil, false
	u.seen = newSeen(u.before.Context)
	if u.staged != nil {
		u.offers = []*offer{u.staged}
	}
	var rested []inbox.Candidate
	for _, from := range u.inboxes {
		err := from.List(ctx, func(c inbox.Candidate) error {
			switch {
			case u.before.has(c.ID):
				u.seen.add(c.ID)
			case u.before.has(restingID(c)):
				rested = append(rested, c)
			default:
				u.consider(ctx, c)
			}
			return ctx.Err()
		})
		if ctx.Err() != nil {
			return u.interrupted(ctx)
		}
		if err != nil {
			u.say("note", "%s", oneLine(err.Error()))
		}
	}
	for _, c := range rested {
		if len(u.fit) == 0 {
			u.seen.add(restingID(c))
			continue
		}
		u.consider(ctx, c)
		if ctx.Err() != nil {
			return u.interrupted(ctx)
		}
	}
	return nil
}

// restingID is by what a candidate is remembered that the site could take, but for which there was nothing to do.
func restingID(c inbox.Candidate) string { return "rests " + c.ID }

// rest remembers the candidates that the site could take: nothing is to be done about them until something changes.
func (u *unattended) rest() {
	for _, c := range u.fit {
		u.settled(restingID(c), c)
	}
}

// consider judges a candidate, and notes what comes of it.
func (u *unattended) consider(ctx context.Context, c inbox.Candidate) {
	if u.later("file:"+c.Name, c.ID) {
		u.waits = true
		return
	}
	var o *offer
	var err error
	if strings.HasSuffix(c.Name, notice.Suffix) {
		err = u.takeNotice(ctx, c, u.journal)
		if err == nil {
			err = errUseless // it was taken, and is no offer
		}
	} else {
		o, err = u.judge(ctx, c)
	}
	switch {
	case ctx.Err() != nil:
	case err == nil:
		u.offers = u.offered(u.offers, o)
		u.fit = append(u.fit, c)
	case errors.Is(err, errNotYet):
		u.waits = true
	case errors.Is(err, errUseless):
		u.settled(c.ID, c)
	case !isReadError(err):
		u.say("note", "%s is left where it is: %s", c.Name, oneLine(err.Error()))
		u.settled(c.ID, c)
	}
}

// restless is how long a file counts as one that is still being written to: its clock may be as coarse as FAT's.
const restless = 10 * time.Second

// settled notes what needs no second look before it changes.
func (u *unattended) settled(id string, c inbox.Candidate) {
	if age := u.deps.Now().Sub(c.Changed); age < 0 || age > restless {
		u.seen.add(id)
	}
}

// isReadError tells a medium that cannot be read now from what is wrong with the bytes on it.
func isReadError(err error) bool {
	var fault interface{ Reason() string }
	return !errors.As(err, &fault)
}

// judge reads a bundle's front and says what release the site could take from it.
func (u *unattended) judge(ctx context.Context, c inbox.Candidate) (o *offer, err error) {
	f, err := c.Open(ctx)
	if err != nil {
		return nil, unfinished(c, err)
	}
	defer f.Close()
	front, err := bundle.NewReader(f)
	if err != nil {
		if !strings.HasSuffix(c.Name, ".tar") && !strings.HasSuffix(c.Name, ".tar.001") {
			return nil, errUseless
		}
		return nil, unfinished(c, err)
	}
	d := front.Descriptor()
	about := u.releaseHere(d, front.ReleaseDigest())
	if u.useless(about) || u.staged != nil && u.staged.release.sameHere(about) {
		return nil, errUseless
	}
	b, err := u.verifiedFront(u.held(), front, u.journal)
	if err != nil {
		return nil, unfinished(c, err)
	}
	if err := u.fitsSite(b.Descriptor(), u.journal); err != nil {
		return nil, err
	}
	if ended, err := hasEnd(c); err != nil || !ended || c.Size < front.Size() {
		return nil, errors.Join(err, errNotYet)
	}
	return &offer{release: about, descriptor: d, from: c, size: front.Size(), usable: u.based(ctx, d)}, nil
}

// unfinished tells a bundle that is still being copied from one that is wrong.
func unfinished(c inbox.Candidate, err error) error {
	switch reasonOfError(err) {
	case "truncated":
		return errNotYet
	case "format", "digest":
		if ended, tailErr := hasEnd(c); tailErr == nil && !ended {
			return errNotYet
		}
	}
	return err
}

// useless tells what the site has, or had, or does not try again by itself.
func (u *unattended) useless(about Release) bool {
	j := u.journal
	return j.Current != nil && j.Current.sameHere(about) || about.Sequence < j.Names[about.Name].RollbackIndex ||
		j.isBad(about) || j.PutBack != nil && j.PutBack.same(about)
}

// based tells whether the site has what the bundle relies on.
func (u *unattended) based(ctx context.Context, d *bundle.Descriptor) bool {
	if len(d.Bases) == 0 {
		return true
	}
	if err := u.openMirror(ctx); err != nil {
		u.say("note", "the mirror was not asked: %s", oneLine(err.Error()))
		return false
	}
	_, err := u.newPlan(ctx, d)
	return err == nil
}

// tailBytes are looked at for anything but zeros at a bundle's end: more than the zeros with which a tar ends.
const tailBytes = 64 << 10

// hasEnd tells whether the end of the file holds anything: one whose room was reserved first is zeros there until it is whole.
func hasEnd(c inbox.Candidate) (bool, error) {
	if c.Tail == nil {
		return true, nil
	}
	b := make([]byte, tailBytes)
	n, err := c.Tail(b)
	return slices.ContainsFunc(b[:n], func(c byte) bool { return c != 0 }), err
}

// offered adds an offer. Of several bundles of one release the smallest that is usable stays.
func (u *unattended) offered(all []*offer, o *offer) []*offer {
	for i, old := range all {
		if !old.release.sameHere(o.release) {
			continue
		}
		if o.usable && !old.usable || o.usable == old.usable && o.size < old.size {
			all[i] = o
		}
		return all
	}
	all = append(all, o)
	slices.SortFunc(all, func(a, b *offer) int {
		return cmp.Or(cmp.Compare(b.release.Sequence, a.release.Sequence), cmp.Compare(a.release.tried(), b.release.tried()))
	})
	return all[:min(len(all), maxOffers)]
}

// stagedOffer is what is staged, if it may still be switched to.
func (u *unattended) stagedOffer() *offer {
	if u.journal.Phase != Written {
		return nil
	}
	rel, err := u.loadSlot(*u.journal.Staged)
	if err != nil || u.useless(*u.journal.Staged) {
		return nil
	}
	return &offer{release: *u.journal.Staged, descriptor: rel.descriptor, usable: true, staged: true}
}

// next is the first step of the way that leads furthest: to the highest sequence that can be reached from the release that
// runs, in the fewest steps. A release that holds for a person is a step only if there is no other.
func (u *unattended) next(offers []*offer) *offer {
	var free []*offer
	for _, o := range offers {
		if !u.holds(o.release, o.descriptor) && !u.givenUp(o.release) {
			free = append(free, o)
		}
	}
	if o := u.firstStep(free); o != nil {
		return o
	}
	return u.firstStep(offers)
}

// waypoint is an offer on a way from the release that runs.
type waypoint struct {
	*offer
	first *offer
	count int
}

func (u *unattended) firstStep(offers []*offer) *offer {
	all := slices.Clone(offers)
	slices.SortStableFunc(all, func(a, b *offer) int { return cmp.Compare(a.release.Sequence, b.release.Sequence) })
	var reached []waypoint
	for _, o := range all {
		if u.givenUp(o.release) {
			continue
		}
		if s, ok := u.reach(o, reached); ok {
			reached = append(reached, s)
		}
	}
	if len(reached) == 0 {
		return nil
	}
	return reached[len(reached)-1].first
}

// reach finds the shortest way to an offer, from what runs or over what is reached already.
func (u *unattended) reach(o *offer, reached []waypoint) (s waypoint, ok bool) {
	if o.usable && fitsRunning(o.descriptor, u.journal.Current) == nil {
		return waypoint{o, o, 1}, true
	}
	for _, before := range reached {
		if before.release.Sequence < o.release.Sequence && fitsRunning(o.descriptor, &before.release) == nil &&
			(o.usable || builtOn(o.descriptor, before.release)) && (!ok || before.count+1 < s.count) {
			s, ok = waypoint{o, before.first, before.count + 1}, true
		}
	}
	return s, ok
}

// builtOn tells whether a release is what the bundle relies on, and all of it.
func builtOn(d *bundle.Descriptor, r Release) bool {
	return len(d.Bases) == 1 && r.same(Release{Digest: d.Bases[0].Digest, Identity: d.Bases[0].Identity})
}
