package inspect

import (
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

// Limits on an SBOM, which comes from a bundle that nobody has verified.
const (
	maxSBOM       = 1 << 30  // bytes, expanded
	maxSBOMValue  = 4 << 20  // bytes of one package or one string
	maxSBOMWindow = 64 << 20 // memory of the decoder
	maxFieldSize  = 4096
)

// readPackages reads the packages of an SPDX JSON document compressed with zstd, as a stream.
func readPackages(r io.Reader, limit int) ([]Package, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxSBOMWindow))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	s := &spdxReader{in: &meter{r: z, left: maxSBOM}, limit: limit}
	s.dec = json.NewDecoder(s.in)
	if err := s.read(); err != nil {
		return nil, err
	}
	return sorted(s.packages), nil
}

func sorted(p []Package) []Package {
	slices.SortFunc(p, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Version, b.Version))
	})
	return slices.Compact(p)
}

// meter stops a document that is too large, or one value of it that a decoder would have to hold whole.
type meter struct {
	r     io.Reader
	left  int64
	value int64 // bytes since the last value was complete
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 || m.value > maxSBOMValue {
		return 0, errors.New("it is too large to be an SBOM")
	}
	n, err := m.r.Read(p)
	m.left -= int64(n)
	m.value += int64(n)
	return n, err
}

type spdxReader struct {
	in       *meter
	dec      *json.Decoder
	limit    int
	packages []Package
}

// spdxPackage is what we want of an SPDX 2.3 package.
type spdxPackage struct {
	Name    string `json:"name"`
	Version string `json:"versionInfo"`
	Purpose string `json:"primaryPackagePurpose"`
	Refs    []struct {
		Type    string `json:"referenceType"`
		Locator string `json:"referenceLocator"`
	} `json:"externalRefs"`
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
	if p.Purpose == "CONTAINER" {
		return nil // the image itself
	}
	if len(s.packages) == s.limit {
		return errors.New("the bundle lists too many packages")
	}
	x := Package{Name: p.Name, Version: p.Version}
	for _, r := range p.Refs {
		if rest, ok := strings.CutPrefix(r.Locator, "pkg:"); ok && r.Type == "purl" {
			x.Type, _, _ = strings.Cut(rest, "/")
			break
		}
	}
	if len(x.Name)+len(x.Version)+len(x.Type) > maxFieldSize {
		return fmt.Errorf("a package's name and version have more than %d bytes", maxFieldSize)
	}
	// Clones, so that no large value is kept alive by a small piece of it.
	x.Name, x.Version, x.Type = strings.Clone(x.Name), strings.Clone(x.Version), strings.Clone(x.Type)
	s.packages = append(s.packages, x)
	return nil
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

// packagesOf gathers the packages of an image; documents that are not here may be in other, if that is not nil.
func (c *Contents) packagesOf(image string, other *Contents) ([]Package, bool) {
	manifests := map[digest.Digest]bool{}
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
