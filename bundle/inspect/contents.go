package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Contents is what Compare needs of a bundle: all of its metadata that people care for, and none of its payload.
type Contents struct {
	Inspection *Inspection
	descriptor *bundle.Descriptor
	objects    *objects
	packages   map[digest.Digest][]Package // by SBOM document
	room       *room
	edits      map[digest.Digest][]edited // by overlay document
	edited     int
}

// Read reads the metadata of a bundle; the payload stays unread. It must be called before r.Next. The Kubernetes objects go
// to a temporary file, which Close removes.
func Read(ctx context.Context, r *bundle.Reader) (*Contents, error) {
	c := &Contents{Inspection: Inspect(r), descriptor: r.Descriptor(), packages: map[digest.Digest][]Package{}, room: newRoom(),
		edits: map[digest.Digest][]edited{}}
	if err := c.read(ctx, r); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close removes what Read has put aside.
func (c *Contents) Close() error { return c.objects.close() }

func (c *Contents) read(ctx context.Context, r *bundle.Reader) error {
	spdx := map[digest.Digest]bool{}
	for _, s := range c.descriptor.SBOMs {
		spdx[s.Digest] = spdx[s.Digest] || s.Format == "spdx"
	}
	for range r.MetadataCount() {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := r.Next()
		if err != nil {
			return err
		}
		if err := c.take(e, spdx[e.Desc.Digest]); err != nil {
			return err
		}
		// What was not needed is compared with its digest all the same.
		if _, err := io.Copy(io.Discard, e); err != nil {
			return err
		}
	}
	return nil
}

// take keeps what a blob tells, if it is the objects, an overlay or an SBOM.
func (c *Contents) take(e *bundle.Entry, spdx bool) error {
	switch {
	case e.Desc.Digest == c.descriptor.Manifests.Digest:
		var err error
		if c.objects, err = splitObjects(e, c.descriptor.Manifests.Objects); err != nil {
			return fmt.Errorf("the Kubernetes objects: %w", err)
		}
	case c.isOverlay(e.Desc.Digest):
		if err := c.takeOverlay(e); err != nil {
			return fmt.Errorf("the overlay %s: %w", e.Desc.Digest, err)
		}
	case spdx:
		packages, err := readPackages(e, c.room)
		if err != nil {
			return fmt.Errorf("the SBOM %s: %w", e.Desc.Digest, err)
		}
		c.packages[e.Desc.Digest] = packages
	}
	return nil
}

// maxListing bounds the lists of all images' packages together, in bytes: images may share their packages.
const maxListing = 12 << 20

// Packages lists, by the images' names (and those of an operating system's parts, as os/root), the packages of all platforms that the bundle has an image for, sorted and each once.
// An image is not in it if an SBOM is not here: the base has it, or there never was one.
func (c *Contents) Packages() (map[string][]Package, error) {
	out, size := map[string][]Package{}, 0
	var names []string
	for _, im := range c.descriptor.Images {
		names = append(names, im.Name)
	}
	if c.descriptor.OS != nil {
		for _, p := range c.descriptor.OS.Parts {
			names = append(names, PartPrefix+p.Name)
		}
	}
	for _, name := range names {
		packages, ok := c.packagesOf(name, nil)
		if !ok {
			continue
		}
		for _, p := range packages {
			size += len(p.Name) + len(p.Version) + len(p.Type) + len(`{"name":"","version":"","type":""},`)
		}
		if size > maxListing {
			return nil, fmt.Errorf("the images' packages have more than %d bytes in a list", maxListing)
		}
		out[name] = packages
	}
	return out, nil
}
