package apply

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// counter counts what is read of a bundle.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// verified reads the front of the bundle and judges it by the site's trust. Not a byte of payload has been read then.
func (s *Site) verified(in Input, j *journal) (*verify.Bundle, *counter, error) {
	return s.verifiedAmong([]*Release{j.Current}, in, j)
}

// verifiedAmong is verified; a bundle of a release that is there already may be older than what runs, and expired.
func (s *Site) verifiedAmong(held []*Release, in Input, j *journal) (*verify.Bundle, *counter, error) {
	c := &counter{r: in.Reader}
	front, err := bundle.NewReader(c)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.verifiedFront(held, front, j)
	if err != nil {
		return nil, nil, err
	}
	s.say("trusted", "%s", trustedBy(b.Report()))
	return b, c, nil
}

// verifiedFront holds the front of a bundle to the site's trust, and to what was committed here.
func (s *Site) verifiedFront(held []*Release, front *bundle.Reader, j *journal) (*verify.Bundle, error) {
	trust, err := s.deps.LoadTrust()
	if err != nil {
		return nil, err
	}
	name := front.Descriptor().Name
	p := verify.Policy{Trust: trust, Now: s.deps.Now(), MinSequence: j.Names[name].RollbackIndex}
	if !s.takesName(name, j) {
		p.MinSequence = 0 // fits refuses it, for its name
	}
	if among(held, releaseOf(front.Descriptor(), front.ReleaseDigest())) != nil {
		// The very release that runs is neither older than itself nor stopped by its age: it is there.
		p.MinSequence, p.AllowExpired = 0, true
	}
	return verify.Open(front, p)
}

func trustedBy(r verify.Report) string {
	text := "signed by " + strings.Join(signerNames(r), ", ")
	if r.Release.Expires != nil {
		text += ", expires " + r.Release.Expires.Format("2006-01-02")
	}
	return text
}

func signerNames(r verify.Report) []string {
	var names []string
	for _, s := range r.Signers {
		names = append(names, s.String())
	}
	return names
}

// fits judges by the descriptor alone whether the release is for this site as it is now.
func (s *Site) fits(d *bundle.Descriptor, j *journal) error {
	if err := s.fitsSite(d, j); err != nil {
		return err
	}
	return fitsRunning(d, j.Current)
}

// fitsSite judges whether the release is for this site, whatever runs.
func (s *Site) fitsSite(d *bundle.Descriptor, j *journal) error {
	if err := s.fitsName(d, j); err != nil {
		return err
	}
	if err := s.fitsPlatform(d); err != nil {
		return err
	}
	if err := fitsSequence(d, j); err != nil {
		return err
	}
	if err := d.CheckLabels(s.cfg.Metadata.Labels); err != nil {
		return errorf("labels", "correct metadata.labels in site.yaml", "%s %s knows no such site: %s", d.Name, d.Version, err)
	}
	if d.Requires == nil {
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(d.Requires.Labels)) {
		want, have := d.Requires.Labels[k], s.cfg.Metadata.Labels[k]
		if want != have {
			return errorf("labels", "ask for the release that is meant for this site, or correct metadata.labels in site.yaml",
				"%s %s is for sites with %s: %s; this one has %s", d.Name, d.Version, k, want, orNone(have))
		}
	}
	return nil
}

// fitsNow is fits, for what this run is about. A site that has forgotten what it ran, or never ran anything, is built anew from a
// release that others come to from an earlier one.
func (r *run) fitsNow(d *bundle.Descriptor) error {
	if r.verb == verbRecover && r.journal.Current == nil && d.Requires != nil && d.Requires.Releases != "" {
		anew, requires := *d, *d.Requires
		requires.Releases, anew.Requires = "", &requires
		d = &anew
	}
	return r.fits(d, r.journal)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (s *Site) fitsPlatform(d *bundle.Descriptor) error {
	here, err := bundle.ParsePlatform(s.cfg.Spec.Platform)
	if err != nil {
		return err
	}
	for _, text := range d.Platforms {
		p, err := bundle.ParsePlatform(text)
		if err == nil && samePlatform(p, here) {
			return nil
		}
	}
	return errorf("platform", "ask for a bundle for "+s.cfg.Spec.Platform,
		"%s %s is for %s, and this machine is %s", d.Name, d.Version, strings.Join(d.Platforms, ", "), s.cfg.Spec.Platform)
}

// samePlatform takes a missing variant for any.
func samePlatform(a, b ocispec.Platform) bool {
	return a.OS == b.OS && a.Architecture == b.Architecture && (a.Variant == "" || b.Variant == "" || a.Variant == b.Variant)
}

func fitsRunning(d *bundle.Descriptor, current *Release) error {
	if d.Requires == nil || d.Requires.Releases == "" {
		return nil
	}
	hint := fmt.Sprintf("apply a release that is %s first", d.Requires.Releases)
	if current == nil || current.Name != d.Name {
		here := "nothing yet"
		if current != nil {
			here = current.String() // another product, whose versions count for nothing here
		}
		return errorf("requires", hint, "%s %s requires that %s runs, and this site runs %s", d.Name, d.Version, d.Requires.Releases, here)
	}
	want, err := semver.NewConstraint(d.Requires.Releases)
	if err != nil {
		return errorf("format", "", "%s %s requires %q, which is not a version range", d.Name, d.Version, d.Requires.Releases)
	}
	have, err := semver.StrictNewVersion(current.Version)
	if err != nil {
		return err
	}
	if !want.Check(have) {
		return errorf("requires", hint, "%s %s requires that %s runs, and this site runs %s",
			d.Name, d.Version, d.Requires.Releases, current.Version)
	}
	return nil
}
