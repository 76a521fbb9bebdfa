package build

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
)

// onlyPart is what the one part is called of an operating system that is written as an image alone.
const onlyPart = "root"

// osEntry is spec.os: parts, or an image alone, which is short for one part.
type osEntry struct {
	Version string      `yaml:"version"`
	Image   string      `yaml:"image"`
	Parts   []partEntry `yaml:"parts"`
}

type partEntry struct {
	Name  string `yaml:"name"`
	Image string `yaml:"image"`
}

// OSSpec is the operating system that a release brings. Its parts are in the order of their names.
type OSSpec struct {
	Version string
	Parts   []PartSpec
}

// PartSpec is one part of it.
type PartSpec struct {
	Name string
	// Image is as written: a file, or a file of an OCI artifact (artifactSource takes that apart).
	Image string
	// Place is where the image is named.
	manifest.Place
}

// operatingSystem checks spec.os.
func (c *checker) operatingSystem() error {
	e := c.doc.Spec.OS
	if e == nil {
		return nil
	}
	if n := len(e.Version); n > bundle.MaxOSVersion {
		return c.fail("spec.os.version", "write a short one, such as \"12.8\"", "has %d bytes, more than %d", n, bundle.MaxOSVersion)
	}
	c.spec.OS = &OSSpec{Version: e.Version}
	switch {
	case e.Image != "" && len(e.Parts) > 0:
		return c.fail("spec.os.image", "name it under parts, as one more part", "stands beside parts")
	case e.Image != "":
		return c.part("spec.os.image", partEntry{onlyPart, e.Image})
	case len(e.Parts) == 0:
		return c.fail("spec.os", "write image: FILE, or parts: [{name: root, image: FILE}]", "has neither an image nor parts")
	case len(e.Parts) > bundle.MaxOSParts:
		return c.fail("spec.os.parts", "", "has %d parts, more than %d", len(e.Parts), bundle.MaxOSParts)
	}
	seen := make(map[string]bool)
	for i, p := range e.Parts {
		at := fmt.Sprintf("spec.os.parts[%d].", i)
		if err := bundle.ValidPartName(p.Name); err != nil {
			return c.fail(at+"name", "use lower-case letters, digits and hyphens, as in root", "%q is not the name of a part", p.Name)
		}
		if seen[p.Name] {
			return c.fail(at+"name", "give each part a name of its own", "%q is the name of an earlier part", p.Name)
		}
		seen[p.Name] = true
		if err := c.part(at+"image", p); err != nil {
			return err
		}
	}
	slices.SortFunc(c.spec.OS.Parts, func(a, b PartSpec) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// part checks one image; at is its field.
func (c *checker) part(at string, p partEntry) error {
	const write = "name a file, or oci:DIR#PATH, oci-archive:FILE.tar#PATH or oci://HOST/REPOSITORY:TAG#PATH"
	if p.Image == "" {
		return c.fail(at, write, "is missing")
	}
	if source, _, ok := artifactSource(p.Image); !ok {
		if err := c.imageFile(at, p.Image); err != nil {
			return err
		}
	} else if source == "" {
		return c.fail(at, write, "%q names no artifact", p.Image)
	}
	c.spec.OS.Parts = append(c.spec.OS.Parts, PartSpec{Name: p.Name, Image: p.Image, Place: c.place(at)})
	return nil
}

// imageFile checks what can be told of a file before it is read.
func (c *checker) imageFile(at, path string) error {
	if err := c.file(at, path); err != nil {
		return err
	}
	st, err := os.Stat(c.spec.path(path))
	switch {
	case err != nil:
		return c.fail(at, "", "%s cannot be read: %v", path, err)
	case !st.Mode().IsRegular():
		return c.fail(at, "name the file of an image: a file system, a kernel, an initrd, a UKI", "%s is not a regular file", path)
	case st.Size() == 0:
		return c.fail(at, "", "%s is empty", path)
	case st.Size() > bundle.MaxPartSize:
		return c.fail(at, "", "%s has %d bytes, more than %d", path, st.Size(), int64(bundle.MaxPartSize))
	}
	return nil
}

// artifactSource takes an image apart that is a file of an OCI artifact: its source, as package image knows it, and the
// path in it, which may be empty.
func artifactSource(image string) (source, path string, ok bool) {
	for _, scheme := range []string{"docker://", "oci://", "oci-archive:", "oci:"} {
		rest, found := strings.CutPrefix(image, scheme)
		if !found {
			continue
		}
		if at := strings.LastIndexByte(rest, '#'); at >= 0 {
			rest, path = rest[:at], rest[at+1:]
		}
		if rest == "" {
			return "", path, true
		}
		return scheme + rest, path, true
	}
	return "", "", false
}
