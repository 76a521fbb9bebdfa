package bundle

import (
	"fmt"
	"mime"
	"regexp"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var (
	digestSyntax  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	releaseSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$`)
)

// Validate checks every rule of docs/format.md that a descriptor must keep: syntax, sizes, and that its lists name one
// another without a gap or a leftover.
func (d *Descriptor) Validate() error {
	v := &validator{d: d, sizes: map[digest.Digest]int64{}, blobs: map[digest.Digest]*Blob{}, used: map[digest.Digest]bool{},
		manifests: map[digest.Digest]ImageManifest{}}
	for _, step := range []func() error{v.head, v.bases, v.listBlobs, v.images, v.objects, v.charts, v.overlays, v.operatingSystem, v.sboms, v.checks, v.conditions, v.oneWay, v.whole} {
		if err := step(); err != nil {
			return formatf("the release descriptor is not valid: %w", err)
		}
	}
	return nil
}

// validator holds what one list of a descriptor tells about the others.
type validator struct {
	d         *Descriptor
	sizes     map[digest.Digest]int64 // a digest has one size, wherever it stands
	blobs     map[digest.Digest]*Blob
	used      map[digest.Digest]bool // blobs that an image names
	manifests map[digest.Digest]ImageManifest
	listing   int // bytes of a list of the images' blobs
}

func (v *validator) head() error {
	d := v.d
	switch {
	case d.APIVersion != APIVersion:
		return fmt.Errorf("apiVersion is %q, not %s", d.APIVersion, APIVersion)
	case d.Kind != "Release":
		return fmt.Errorf("kind is %q, not Release", d.Kind)
	case d.Sequence < 1 || d.Sequence > MaxSequence:
		return fmt.Errorf("sequence %d is not between 1 and 2^53-1", d.Sequence)
	case d.ID != "" && validDigest(d.ID) != nil:
		return fmt.Errorf("identity %q is not a sha256 digest", string(d.ID))
	case !wholeSeconds(d.Created):
		return fmt.Errorf("created %v is not a whole second of the years 1970 to 9999", d.Created)
	case d.Expires != nil && !wholeSeconds(*d.Expires):
		return fmt.Errorf("expires %v is not a whole second of the years 1970 to 9999", *d.Expires)
	}
	if err := ValidName(d.Name); err != nil {
		return err
	}
	if err := ValidVersion(d.Version); err != nil {
		return err
	}
	return v.platforms()
}

// ValidName tells whether s can name a release: lower-case letters, digits, dots and hyphens, 128 characters at most.
func ValidName(s string) error {
	if !releaseSyntax.MatchString(s) {
		return fmt.Errorf("%q is not a release name: use lower-case letters, digits, dots and hyphens", s)
	}
	return nil
}

// ValidVersion tells whether s is a semantic version, complete and without a leading v.
func ValidVersion(s string) error {
	if _, err := semver.StrictNewVersion(s[:min(len(s), 129)]); err != nil || len(s) > 128 {
		return fmt.Errorf("%q is not a semantic version such as 2.4.0", s)
	}
	return nil
}

func (v *validator) platforms() error {
	if len(v.d.Platforms) == 0 {
		return fmt.Errorf("platforms is empty")
	}
	seen := map[string]bool{}
	for _, p := range v.d.Platforms {
		if _, err := canonicalPlatform(p); err != nil {
			return err
		}
		if seen[p] {
			return fmt.Errorf("platform %s is named twice", p)
		}
		seen[p] = true
	}
	return nil
}

// canonicalPlatform parses a platform in its one form.
func canonicalPlatform(s string) (ocispec.Platform, error) {
	p, err := ParsePlatform(s)
	if err == nil && FormatPlatform(p) != s {
		err = fmt.Errorf("platform %q is not in its normal form: write %s", s, FormatPlatform(p))
	}
	return p, err
}

func (v *validator) bases() error {
	seen := map[digest.Digest]bool{}
	for _, b := range v.d.Bases {
		if err := validDigest(b.Digest); err != nil {
			return fmt.Errorf("base %q: %w", b.Name, err)
		}
		if seen[b.Digest] {
			return fmt.Errorf("base %q is named twice", b.Digest)
		}
		seen[b.Digest] = true
		if err := ValidName(b.Name); err != nil {
			return fmt.Errorf("base %q: %w", b.Digest, err)
		}
		if err := ValidVersion(b.Version); err != nil {
			return fmt.Errorf("base %q: %w", b.Digest, err)
		}
		if b.Sequence < 1 || b.Sequence > MaxSequence {
			return fmt.Errorf("base %q: sequence %d is not between 1 and 2^53-1", b.Digest, b.Sequence)
		}
		if b.Identity != "" && validDigest(b.Identity) != nil {
			return fmt.Errorf("base %q: identity %q is not a sha256 digest", b.Digest, string(b.Identity))
		}
	}
	return nil
}

// size checks a digest with its size, and that both agree with every other mention.
func (v *validator) size(d digest.Digest, size, limit int64) error {
	if err := validDigest(d); err != nil {
		return err
	}
	if size < 0 || size > limit {
		return fmt.Errorf("%s: size %d is not between 0 and %d", d, size, limit)
	}
	if old, ok := v.sizes[d]; ok && old != size {
		return fmt.Errorf("%s has two sizes, %d and %d", d, old, size)
	}
	v.sizes[d] = size
	return nil
}

func validDigest(d digest.Digest) error {
	if !digestSyntax.MatchString(string(d)) {
		return fmt.Errorf("%q is not a sha256 digest", string(d))
	}
	return nil
}

func validMediaType(s string) error {
	if t, params, err := mime.ParseMediaType(s[:min(len(s), 256)]); err != nil || t == "" || len(s) > 255 || len(params) > 8 {
		return fmt.Errorf("%q is not a media type", s)
	}
	return nil
}

// text refuses what JSON cannot carry unchanged.
func text(what, s string, limit int) error {
	if !utf8.ValidString(s) || len(s) > limit {
		return fmt.Errorf("%s is not UTF-8 text of at most %d bytes", what, limit)
	}
	return nil
}
