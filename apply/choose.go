package apply

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// Candidate is one of several bundles that lie together, on a stick for instance.
type Candidate struct {
	Name string // for messages
	Open func() (io.ReadCloser, error)
}

// ForRepair as the purpose of Choose prefers bundles that rely on nothing that the mirror may have lost.
const ForRepair = true

// variant is what is kept of a candidate that this site could take.
type variant struct {
	Candidate
	index   int
	release Release
	size    int64 // bytes of the bundle
	bases   int
}

// Choose picks among several bundles the one that the site takes: trusted, of its name and platform, not older than what was
// committed, against a base that is there; of several, the smallest. It reads their fronts only. That there are different
// releases among them is an error: which one is meant is for a person to say.
func (s *Site) Choose(ctx context.Context, all []Candidate, forRepair bool) (index int, err error) {
	r, err := s.look("choosing a bundle")
	if err != nil {
		return 0, err
	}
	defer func() { err = r.end(err) }()
	fit, refused := r.fitting(all)
	if len(fit) == 0 {
		return 0, refused
	}
	if err := oneRelease(fit); err != nil {
		return 0, err
	}
	slices.SortStableFunc(fit, func(a, b variant) int {
		if forRepair && (a.bases == 0) != (b.bases == 0) {
			return cmp.Compare(a.bases, b.bases)
		}
		return cmp.Compare(a.size, b.size)
	})
	about := fit[0].release
	if len(fit) == 1 || forRepair || among([]*Release{r.journal.Current, r.journal.Staged}, about) != nil {
		return fit[0].index, nil // nothing will be asked of a base
	}
	return r.onBase(ctx, fit)
}

// fitting leaves out what this site never takes, and returns why it did so with the first of that.
func (r *run) fitting(all []Candidate) (fit []variant, refused error) {
	for i, c := range all {
		err := r.front(c, func(b *verify.Bundle, size int64) error {
			d := b.Descriptor()
			about := releaseOf(d, b.ReleaseDigest())
			if among(r.held(), about) == nil {
				if err := r.fits(d, r.journal); err != nil {
					return err
				}
			}
			fit = append(fit, variant{Candidate: c, index: i, release: about, size: size, bases: len(d.Bases)})
			return nil
		})
		if err != nil && refused == nil {
			refused = err
		}
	}
	return fit, refused
}

// held are the releases that are there already.
func (r *run) held() []*Release {
	return []*Release{r.journal.Current, r.journal.Previous, r.journal.Staged}
}

// front calls look with a bundle of which the front was read and judged.
func (r *run) front(c Candidate, look func(b *verify.Bundle, size int64) error) error {
	f, err := c.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	front, err := bundle.NewReader(f)
	if err == nil {
		var b *verify.Bundle
		if b, err = r.verifiedFront(r.held(), front, r.journal); err == nil {
			err = look(b, front.Size())
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return nil
}

// oneRelease refuses to choose between releases.
func oneRelease(fit []variant) error {
	seen := map[digest.Digest]bool{}
	var names []string
	for _, v := range fit {
		seen[v.release.Identity] = true
		names = append(names, fmt.Sprintf("%s (%s)", v.Name, v.release))
	}
	if len(seen) == 1 {
		return nil
	}
	return errorf("usage", "name the one that is meant", "there are bundles of different releases: %s", strings.Join(names, ", "))
}

// onBase picks the first that relies on nothing that the mirror lacks.
func (r *run) onBase(ctx context.Context, fit []variant) (int, error) {
	if err := r.openMirror(ctx); err != nil {
		return 0, err
	}
	var lacking error
	for _, v := range fit {
		err := r.front(v.Candidate, func(b *verify.Bundle, _ int64) error {
			_, err := r.newPlan(ctx, b.Descriptor())
			if err == nil && b.Descriptor().OS != nil {
				_, err = r.bootFor(ctx, b.Descriptor())
			}
			return err
		})
		switch {
		case err == nil:
			return v.index, nil
		case !isBaseError(err):
			return 0, err
		case lacking == nil:
			lacking = err
		}
	}
	return 0, lacking
}
