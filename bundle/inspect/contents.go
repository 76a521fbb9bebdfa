package inspect

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// maxPackages bounds how many packages are remembered of one bundle. A site with a hundred images has some 100,000.
const maxPackages = 1_000_000

// Contents is what Compare needs of a bundle: all of its metadata that people care for, and none of its payload.
type Contents struct {
	Inspection *Inspection
	descriptor *bundle.Descriptor
	objects    []object
	packages   map[digest.Digest][]Package // by SBOM document
	total      int
}

// Read reads the metadata of a bundle; the payload stays unread. It must be called before r.Next.
func Read(ctx context.Context, r *bundle.Reader) (*Contents, error) {
	c := &Contents{Inspection: Inspect(r), descriptor: r.Descriptor(), packages: map[digest.Digest][]Package{}}
	spdx := map[digest.Digest]bool{}
	for _, s := range c.descriptor.SBOMs {
		spdx[s.Digest] = spdx[s.Digest] || s.Format == "spdx"
	}
	for range r.MetadataCount() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if err := c.take(e, spdx[e.Desc.Digest]); err != nil {
			return nil, err
		}
		// What was not needed is compared with its digest all the same.
		if _, err := io.Copy(io.Discard, e); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// take keeps what a blob tells, if it is the objects or an SBOM.
func (c *Contents) take(e *bundle.Entry, spdx bool) error {
	switch {
	case e.Desc.Digest == c.descriptor.Manifests.Digest:
		b, err := io.ReadAll(io.LimitReader(e, bundle.MaxObjectsSize))
		if err != nil {
			return err
		}
		if c.objects, err = splitObjects(b); err != nil {
			return fmt.Errorf("the Kubernetes objects: %w", err)
		}
	case spdx:
		packages, err := readPackages(e, maxPackages-c.total)
		if err != nil {
			return fmt.Errorf("the SBOM %s: %w", e.Desc.Digest, err)
		}
		c.packages[e.Desc.Digest] = packages
		c.total += len(packages)
	}
	return nil
}

// Packages lists the packages of an image for all platforms that the bundle has it for, sorted and each once. It is false
// if an SBOM is not there: the base has it, or there never was one.
func (c *Contents) Packages(image string) ([]Package, bool) { return c.packagesOf(image, nil) }
