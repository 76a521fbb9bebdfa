package apply

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// maxSupply bounds how many bundles are held open at once.
const maxSupply = 64

// supply are the bundles that a recovery was given and that may be of use.
type supply struct {
	all    []*supplied
	target *supplied   // of the release that will run
	before []*supplied // what target is built against, in the order of loading
}

// supplied is a bundle of which the front was read and verified, and that stays open: what was judged is what is read.
type supplied struct {
	name   string
	file   io.Closer
	read   *counter
	bundle *verify.Bundle
	about  Release
	used   bool // it was read to its end, and cannot be read again
}

func (s *supply) close() {
	for _, b := range s.all {
		_ = b.file.Close() // it was only read
	}
}

// read is how many bytes were read of all of them.
func (s *supply) read() (n int64) {
	for _, b := range s.all {
		n += b.read.n
	}
	return n
}

// of returns the bundle of a release that relies on the least; nil if there is none.
func (s *supply) of(rel Release) *supplied {
	for _, b := range s.all {
		if b.about.same(rel) {
			return b
		}
	}
	return nil
}

// openSupply opens what a recovery was given, and leaves out what is of no use here, with a note. If nothing remains, the error says
// why the first of it was left out.
func (r *run) openSupply(all []Candidate, from *Backup) (set *supply, err error) {
	if len(all) > maxSupply {
		return nil, errorf("usage", "name those that are meant", "there are %d bundles, more than %d", len(all), maxSupply)
	}
	set = &supply{}
	var refused error
	for _, c := range all {
		b, err := r.openSupplied(c, from)
		if err != nil {
			if !strings.Contains(err.Error(), c.Name) {
				err = fmt.Errorf("%s: %w", c.Name, err)
			}
			if len(all) > 1 {
				r.say("note", "passed over: %s", oneLine(err.Error()))
			}
			if refused == nil {
				refused = err
			}
			continue
		}
		set.all = append(set.all, b)
	}
	if len(set.all) == 0 {
		return nil, refused
	}
	// Of several bundles of one release that is the best which relies on the least.
	slices.SortStableFunc(set.all, func(a, b *supplied) int {
		return cmp.Compare(len(a.bundle.Descriptor().Bases), len(b.bundle.Descriptor().Bases))
	})
	if err := r.chooseTarget(set); err != nil {
		set.close()
		return nil, err
	}
	return set, nil
}

// openSupplied reads the front of a bundle. That it is older than what runs, or has expired, says nothing yet: others may be built
// against it.
func (r *run) openSupplied(c Candidate, from *Backup) (b *supplied, err error) {
	f, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the error that counts is another one
		}
	}()
	count := &counter{r: f}
	front, err := bundle.NewReader(count)
	if err != nil {
		return nil, err
	}
	d := front.Descriptor()
	if err := r.fitsName(d, r.journal); err != nil {
		return nil, err
	}
	trust, err := r.trustOr(from)
	if err != nil {
		return nil, err
	}
	v, err := verify.Open(front, verify.Policy{Trust: trust, Now: r.deps.Now(), AllowExpired: true})
	if err != nil {
		return nil, err
	}
	if err := r.fitsPlatform(d); err != nil {
		return nil, err
	}
	return &supplied{name: c.Name, file: f, read: count, bundle: v, about: r.releaseHere(d, front.ReleaseDigest())}, nil
}

// trustOr is the site's trust or, in a dry run on a site that has lost it, that of the backup.
func (r *run) trustOr(from *Backup) (*verify.Trust, error) {
	path := r.cfg.Spec.Trust
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && from.holds(path) {
		return verify.ReadTrust(path, bytes.NewReader(from.data[path]))
	}
	return r.deps.LoadTrust()
}

// chooseTarget finds the release that is to run: the one that ran, where that is known and there is a bundle of it, or else the newest.
func (r *run) chooseTarget(set *supply) error {
	if c := r.journal.Current; c != nil {
		if set.target = set.of(*c); set.target != nil {
			return nil
		}
	}
	if err := oneName(set); err != nil {
		return err
	}
	newest := slices.MaxFunc(set.all, func(a, b *supplied) int { return cmp.Compare(a.about.Sequence, b.about.Sequence) })
	set.target = set.of(newest.about)
	if p := r.journal.Previous; p != nil && p.same(newest.about) {
		return nil // what runs may be whole
	}
	for _, b := range set.all {
		if b.about.Sequence == newest.about.Sequence && !b.about.same(newest.about) {
			return errorf("usage", "name the one that is meant", "there are bundles of different releases with sequence %d: %s and %s",
				b.about.Sequence, newest.name, b.name)
		}
	}
	return r.mayRun(set.target)
}

// oneName refuses to choose between products.
func oneName(set *supply) error {
	var names []string
	for _, b := range set.all {
		if !slices.Contains(names, b.about.Name) {
			names = append(names, b.about.Name)
		}
	}
	if len(names) == 1 {
		return nil
	}
	return errorf("usage", "name the bundles of one of them, or write spec.release in site.yaml",
		"there are bundles of different products: %s", strings.Join(names, ", "))
}

// mayRun holds a release that did not run here to what apply would hold it to.
func (r *run) mayRun(b *supplied) error {
	d := b.bundle.Descriptor()
	if err := r.fitsNow(d); err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	if d.Expires != nil && !r.deps.Now().Before(*d.Expires) {
		return errorf("expired", "ask the factory for a bundle that is still good, or set this machine's clock if it is wrong",
			"%s: %s expired %s, and nothing here tells that it ran", b.name, b.about, d.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// inOrder finds out which bundles have to be loaded before target, by what the mirror holds for good.
func (s *supply) inOrder(has func(digest.Digest) bool) error {
	o := ordering{set: s, has: has, state: map[*supplied]int{}}
	if err := o.visit(s.target); err != nil {
		return err
	}
	s.before = o.order[:len(o.order)-1]
	return nil
}

// ordering walks from a bundle to those that bring what it is built against.
type ordering struct {
	set   *supply
	has   func(digest.Digest) bool
	state map[*supplied]int // 1: being visited, 2: done
	order []*supplied
}

func (o *ordering) visit(b *supplied) error {
	o.state[b] = 1
	for _, blob := range b.bundle.Descriptor().Blobs {
		if blob.MediaType == bundle.MediaTypePart || o.has(blob.Digest) {
			continue
		}
		for _, want := range neededFor(blob) {
			if err := o.find(b, want); err != nil {
				return err
			}
		}
	}
	o.state[b] = 2
	o.order = append(o.order, b)
	return nil
}

// neededFor are the blobs without which a blob that the mirror lacks cannot be made.
func neededFor(b bundle.Blob) (all []digest.Digest) {
	if b.Form == bundle.FormReuse {
		return []digest.Digest{b.Digest}
	}
	for _, base := range b.Bases {
		all = append(all, base.Digest)
	}
	return all
}

// find makes sure that a blob is there before b is loaded.
func (o *ordering) find(b *supplied, want digest.Digest) error {
	if o.has(want) {
		return nil
	}
	for _, other := range o.set.all {
		if other == b || o.state[other] == 1 || !brings(other, want) {
			continue
		}
		if o.state[other] == 2 {
			return nil
		}
		if err := o.visit(other); err == nil {
			return nil
		}
		delete(o.state, other) // what it is built against is not there either: another one may do
	}
	return lacksBase(b)
}

// brings tells whether a bundle has a blob in it, in whatever form.
func brings(b *supplied, want digest.Digest) bool {
	return slices.ContainsFunc(b.bundle.Descriptor().Blobs, func(x bundle.Blob) bool {
		return x.Digest == want && x.Form != bundle.FormReuse
	})
}

// lacksBase says which bundle is missing beside b.
func lacksBase(b *supplied) error {
	var bases []string
	for _, x := range b.bundle.Descriptor().Bases {
		bases = append(bases, x.Name+" "+x.Version)
	}
	what := strings.Join(bases, " or ")
	if what == "" {
		what = "another release"
	}
	return errorf("base", fmt.Sprintf("give a full bundle of %s, or one of %s beside it", b.about, what),
		"%s is built against %s, which is not in the mirror and among no bundle that was given", b.name, what)
}
