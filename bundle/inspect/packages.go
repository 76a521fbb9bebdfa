package inspect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Package is a package that an SBOM lists.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"type,omitempty"` // that of its package URL: deb, golang, npm
}

// Limits on SBOMs, which come from a bundle that nobody has verified. Those of all documents of a bundle together hold a
// hundred images of a thousand packages each.
const (
	maxSBOMs       = 512 << 20 // bytes, expanded, of all documents
	maxSkipped     = 100_000   // numbers, strings and brackets that stand before the packages, in all documents
	maxPackages    = 120_000   // of all documents
	maxPackageText = 6 << 20   // bytes of their names, versions and types
	maxSBOMValue   = 1 << 20   // bytes of one package or one string
	maxSBOMWindow  = 8 << 20   // memory of the decoder; the builder writes no larger windows
	maxFieldSize   = 4096
	maxRefs        = 4096 // of one package
)

// room is what is left of the limits.
type room struct {
	bytes                   int64
	packages, text, skipped int
}

func newRoom() *room { return &room{maxSBOMs, maxPackages, maxPackageText, maxSkipped} }

// Listing looks at the SBOMs of a bundle that is being made, so that none is made which a reader refuses.
type Listing struct{ left room }

// NewListing begins with no document.
func NewListing() *Listing { return &Listing{*newRoom()} }

// Add takes one more SPDX document, compressed with zstd, or tells why a bundle that has it and those before would be refused.
func (l *Listing) Add(doc io.Reader) error {
	left := l.left
	if _, err := readPackages(doc, &left); err != nil {
		return err
	}
	l.left = left
	return nil
}

// readPackages reads the packages of an SPDX JSON document compressed with zstd, as a stream.
func readPackages(r io.Reader, left *room) ([]Package, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxSBOMWindow))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	s := &spdxReader{in: &meter{r: z, left: &left.bytes}, room: left}
	s.dec = json.NewDecoder(s.in)
	if err := s.read(); err != nil {
		return nil, err
	}
	return sorted(s.packages), nil
}

func sorted(p []Package) []Package {
	slices.SortFunc(p, func(a, b Package) int {
		return cmp.Or(compareNames(a, b), cmp.Compare(a.Version, b.Version))
	})
	return slices.Compact(p)
}

// meter stops a document that is too large, or one value of it that a decoder would have to hold whole.
type meter struct {
	r     io.Reader
	left  *int64
	value int64 // bytes since the last value was complete
}

func (m *meter) Read(p []byte) (int, error) {
	if *m.left <= 0 || m.value > maxSBOMValue {
		return 0, errors.New("it is too large to be an SBOM")
	}
	n, err := m.r.Read(p)
	*m.left -= int64(n)
	m.value += int64(n)
	return n, err
}

type spdxReader struct {
	in       *meter
	dec      *json.Decoder
	room     *room
	packages []Package
}

// spdxPackage is what we want of an SPDX 2.3 package.
type spdxPackage struct {
	Name    string `json:"name"`
	Version string `json:"versionInfo"`
	Purpose string `json:"primaryPackagePurpose"`
	Refs    purl   `json:"externalRefs"`
}

// purl is the type of the first package URL among external references; a package may have many others.
type purl string

// UnmarshalJSON reads the references one by one.
func (p *purl) UnmarshalJSON(b []byte) error {
	*p = ""
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return err // null, or nothing that lists references
	}
	for n := 0; dec.More(); n++ {
		var r struct {
			Type    string `json:"referenceType"`
			Locator string `json:"referenceLocator"`
		}
		if err := dec.Decode(&r); err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(r.Locator, "pkg:"); ok && r.Type == "purl" {
			kind, _, _ := strings.Cut(rest, "/")
			*p = purl(kind)
			return nil
		}
		if n == maxRefs {
			return errors.New("a package has too many references")
		}
	}
	return nil
}

// read finds the top-level key "packages" and stops after it; files and relationships, the bulk, come later.
func (s *spdxReader) read() error {
	if err := s.delim('{'); err != nil {
		return err
	}
	for s.dec.More() {
		key, err := s.token()
		if err != nil {
			return err
		}
		if key == "packages" {
			return s.list()
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
	return errors.New("it lists no packages")
}

func (s *spdxReader) list() error {
	if err := s.delim('['); err != nil {
		return err
	}
	for s.dec.More() {
		var p spdxPackage
		if err := s.dec.Decode(&p); err != nil {
			return err
		}
		s.in.value = 0
		if err := s.add(p); err != nil {
			return err
		}
	}
	return s.delim(']')
}

func (s *spdxReader) add(p spdxPackage) error {
	x := Package{Name: p.Name, Version: p.Version, Type: string(p.Refs)}
	size := len(x.Name) + len(x.Version) + len(x.Type)
	if size > maxFieldSize {
		return fmt.Errorf("a package's name and version have more than %d bytes", maxFieldSize)
	}
	s.room.packages--
	s.room.text -= size
	if s.room.packages < 0 || s.room.text < 0 {
		return fmt.Errorf("the bundle lists more than %d packages, or more than %d bytes of their names", maxPackages, maxPackageText)
	}
	if p.Purpose != "CONTAINER" { // the image itself
		s.packages = append(s.packages, x.compact())
	}
	return nil
}

// compact keeps the texts in one piece, so that no large value is kept alive by a small piece of it.
func (x Package) compact() Package {
	all := x.Name + x.Version + x.Type
	n, v := len(x.Name), len(x.Name)+len(x.Version)
	return Package{Name: all[:n], Version: all[n:v], Type: all[v:]}
}

func (s *spdxReader) token() (json.Token, error) {
	t, err := s.dec.Token()
	s.in.value = 0
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

func (s *spdxReader) delim(want json.Delim) error {
	t, err := s.token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v stands where %v should", t, want)
	}
	return nil
}

// skip passes over one value of any depth.
func (s *spdxReader) skip() error {
	depth := 0
	for {
		t, err := s.token()
		if err != nil {
			return err
		}
		if s.room.skipped--; s.room.skipped < 0 {
			return errors.New("too much stands before its packages")
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// PartPrefix stands before the names of an operating system's parts, where images have theirs: no image is called os/root.
const PartPrefix = "os/"

// packagesOf gathers the packages of an image, or of a part of the operating system; documents that are not here may be in other, if that is not nil.
func (c *Contents) packagesOf(image string, other *Contents) ([]Package, bool) {
	manifests := map[digest.Digest]bool{}
	if c.descriptor.OS != nil {
		for _, p := range c.descriptor.OS.Parts {
			if PartPrefix+p.Name == image {
				manifests[p.Digest] = true
			}
		}
	}
	for _, im := range c.descriptor.Images {
		for _, m := range im.Manifests {
			if im.Name == image {
				manifests[m.Digest] = true
			}
		}
	}
	var all []Package
	found := map[digest.Digest]bool{}
	for _, s := range c.descriptor.SBOMs {
		if !manifests[s.Image] || s.Format != "spdx" {
			continue
		}
		p, ok := c.document(s, other)
		if !ok {
			return nil, false
		}
		found[s.Image] = true
		all = append(all, p...)
	}
	return sorted(all), len(found) == len(manifests) && len(found) > 0
}

// document is an SBOM from here or, where the base has it, from the bundle that we are compared with.
func (c *Contents) document(s bundle.SBOM, other *Contents) ([]Package, bool) {
	if p, ok := c.packages[s.Digest]; ok || other == nil {
		return p, ok
	}
	p, ok := other.packages[s.Digest]
	return p, ok
}
