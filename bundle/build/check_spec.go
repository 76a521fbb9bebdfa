package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// checker turns a document into a Spec and names the first thing wrong with it.
type checker struct {
	doc  *document
	pos  *strictyaml.Positions
	spec *Spec
}

func (c *checker) run() error {
	steps := []func() error{c.unsupported, c.head, c.version, c.platforms, c.images, c.imageFields, c.manifests, c.operatingSystem, c.checks, c.conditions, c.oneWay, c.sites}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) fail(path, hint, format string, args ...any) error {
	return c.pos.Error(path, fmt.Sprintf(format, args...), hint)
}

func (c *checker) place(path string) manifest.Place {
	return manifest.Place{File: c.pos.File(), Line: c.pos.Line(path)}
}

// unsupported refuses what is in the format but not in this version: to pass over it would make a release that does
// less than its author believes.
func (c *checker) unsupported() error {
	type field struct {
		path string
		set  bool
	}
	s := c.doc.Spec
	var fields []field
	for i, k := range s.Checks {
		at := fmt.Sprintf("spec.checks[%d].", i)
		fields = append(fields,
			field{at + "prometheus", k.Prometheus != nil},
			field{at + "job", k.Job != nil},
			field{at + "successCondition", k.SuccessCondition != nil},
			field{at + "failureCondition", k.FailureCondition != nil},
			field{at + "inconclusiveLimit", k.InconclusiveLimit != nil})
	}
	for _, f := range fields {
		if f.set {
			return c.fail(f.path, "remove it", "is not supported by this version")
		}
	}
	return nil
}

func (c *checker) head() error {
	switch d := c.doc; {
	case d.APIVersion != bundle.APIVersion:
		return c.fail("apiVersion", "write apiVersion: "+bundle.APIVersion, "is %q, not %s", d.APIVersion, bundle.APIVersion)
	case d.Kind != "Release":
		return c.fail("kind", "write kind: Release", "is %q, not Release", d.Kind)
	case !dnsLabel.MatchString(d.Metadata.Name):
		return c.fail("metadata.name", "use at most 63 lower-case letters, digits and hyphens", "%q is not a release name", d.Metadata.Name)
	}
	c.spec.Name = c.doc.Metadata.Name
	return nil
}

func (c *checker) version() error {
	s := c.doc.Spec
	if err := bundle.ValidVersion(s.Version); err != nil {
		return c.fail("spec.version", "write three numbers, as in 2.4.0", "%q is not a semantic version", s.Version)
	}
	c.spec.Version = s.Version
	if s.Sequence != nil {
		if *s.Sequence == 0 || *s.Sequence > bundle.MaxSequence {
			return c.fail("spec.sequence", "leave it out to count up from the base", "%d is not between 1 and 2^53-1", *s.Sequence)
		}
		c.spec.Sequence = *s.Sequence
	}
	return nil
}

func (c *checker) platforms() error {
	wanted := c.doc.Spec.Platforms
	if len(wanted) == 0 {
		wanted = []string{defaultPlatform}
	}
	seen := map[string]bool{}
	for i, text := range wanted {
		at := fmt.Sprintf("spec.platforms[%d]", i)
		p, err := bundle.ParsePlatform(text)
		if err != nil {
			return c.fail(at, "write OS/ARCH, as in linux/arm64", "%q is not a platform", text)
		}
		if seen[bundle.FormatPlatform(p)] {
			return c.fail(at, "keep one of the two", "names %s a second time", bundle.FormatPlatform(p))
		}
		seen[bundle.FormatPlatform(p)] = true
		c.spec.Platforms = append(c.spec.Platforms, p)
	}
	return nil
}

func (c *checker) images() error {
	seen := map[string]bool{}
	for i, e := range c.doc.Spec.Images {
		at := fmt.Sprintf("spec.images[%d]", i)
		name, err := bundle.ParseReference(e.Name)
		if err != nil {
			return c.fail(at+".name", "write HOST/REPOSITORY:TAG", "%q is not an image reference", e.Name)
		}
		if seen[name.String()] {
			return c.fail(at+".name", "keep one of the two", "names %s a second time", name)
		}
		seen[name.String()] = true
		if e.Key != "" {
			if err := c.file(at+".key", e.Key); err != nil {
				return err
			}
			e.Key = c.spec.path(e.Key)
		}
		c.spec.Images = append(c.spec.Images, ImageSpec{Name: name, Source: e.Source, Key: e.Key, Place: c.place(at + ".name")})
	}
	return nil
}

func (c *checker) imageFields() error {
	for i, f := range c.doc.Spec.ImageFields {
		if err := f.Check(); err != nil {
			return c.fail(fmt.Sprintf("spec.imageFields[%d]", i), hintOf(err, ""), "is not valid: %v", err)
		}
	}
	c.spec.ImageFields = c.doc.Spec.ImageFields
	c.spec.Pin = c.doc.Spec.Pin == nil || *c.doc.Spec.Pin
	return nil
}

// file checks that a path of the spec leads somewhere.
func (c *checker) file(at, path string) error {
	_, err := os.Stat(c.spec.path(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.fail(at, "paths are relative to the folder of "+filepath.Base(c.pos.File()), "%s does not exist", path)
	case err != nil:
		return c.fail(at, "", "%s cannot be read: %v", path, err)
	}
	return nil
}

func (c *checker) checks() error {
	seen := map[string]bool{}
	for i := range c.doc.Spec.Checks {
		at := fmt.Sprintf("spec.checks[%d]", i)
		k := c.doc.Spec.Checks[i].Check
		if seen[k.Name] {
			return c.fail(at+".name", "give each check a name of its own", "%q is the name of an earlier check", k.Name)
		}
		seen[k.Name] = true
		if err := k.Validate(); err != nil {
			return c.fail(at, "", "is not valid: %v", err)
		}
		c.spec.Checks = append(c.spec.Checks, k)
	}
	return nil
}

func (c *checker) conditions() error {
	s := c.doc.Spec
	switch s.CatchUp {
	case "", "immediate", "window", "hold":
		c.spec.CatchUp = s.CatchUp
	default:
		return c.fail("spec.catchUp", "write one of immediate, window, hold", "%q is not known", s.CatchUp)
	}
	if r := s.Requires; r != nil {
		if r.Releases != "" {
			if _, err := semver.NewConstraint(r.Releases); err != nil {
				return c.fail("spec.requires.releases", `write a range such as ">=2.2.0"`, "%q is not a version range", r.Releases)
			}
		}
		for i, want := range r.Kubernetes {
			if _, err := semver.NewConstraint(want); err != nil {
				return c.fail(fmt.Sprintf("spec.requires.kubernetes[%d]", i), `write a range such as ">=1.30"`, "%q is not a version range", want)
			}
		}
		c.spec.Requires = r
	}
	if s.Expires != nil {
		t := s.Expires.UTC()
		if t.Nanosecond() != 0 || t.Before(time.Unix(0, 0)) || t.Year() > 9999 {
			return c.fail("spec.expires", "write a time such as 2027-06-30T00:00:00Z", "is not a whole second after 1970")
		}
		c.spec.Expires = &t
	}
	return nil
}
