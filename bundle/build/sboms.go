package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/bundle/sbom"
)

// writeSBOMs makes the documents of each image manifest. Those of an image that a base has are the base's.
func (b *builder) writeSBOMs(ctx context.Context) error {
	prepare := sync.OnceValues(func() (context.Context, error) { return sbom.Prepare(ctx) })
	seen := make(map[digest.Digest]bool)
	p := b.measure("sbom")
	p.total = b.unknownLayers()
	images, fresh := 0, 0
	for _, img := range b.release.images {
		for _, m := range img.Manifests {
			if seen[m.Desc.Digest] {
				continue
			}
			seen[m.Desc.Digest] = true
			list := b.heldSBOMs(m.Desc.Digest)
			if list == nil {
				ctx, err := prepare()
				if err != nil {
					return err
				}
				if list, err = b.newSBOMs(ctx, img, m, p); err != nil {
					return fmt.Errorf("SBOM of %s (%s): %w", img.name, bundle.FormatPlatform(m.Platform), err)
				}
				fresh++
			}
			if len(list) > 0 {
				images++
			}
			b.sboms = append(b.sboms, list...)
		}
	}
	return b.systemSBOMs(ctx, images, fresh)
}

// systemSBOMs adds the documents of the operating system, and says how many there are of all.
func (b *builder) systemSBOMs(ctx context.Context, images, fresh int) (err error) {
	roots, err := b.openRoots()
	defer func() { err = errors.Join(err, closeRoots(roots)) }()
	if err != nil {
		return err
	}
	b.lookForConfirm(roots)
	more, err := b.partSBOMs(ctx, roots)
	if err != nil {
		return err
	}
	what := count(images, "image")
	if len(roots) > 0 {
		what += ", " + count(len(roots), "part")
	}
	if packages := packagesOf(b.sboms); len(b.sboms) > 0 {
		b.say("sbom", "%s, %s (%d new)", what, count(packages, "package"), fresh+more)
	}
	return nil
}

// packagesOf counts the packages, of each image and part once.
func packagesOf(list []bundle.SBOM) (packages int) {
	for i, s := range list {
		if i == 0 || s.Image != list[i-1].Image {
			packages += s.Packages
		}
	}
	return packages
}

// unknownLayers gives the bytes of the layers of images whose packages are still to be looked for.
func (b *builder) unknownLayers() (size int64) {
	seen := make(map[digest.Digest]bool)
	for _, img := range b.release.images {
		for _, m := range img.Manifests {
			if seen[m.Desc.Digest] || b.heldSBOMs(m.Desc.Digest) != nil {
				continue
			}
			seen[m.Desc.Digest] = true
			for _, l := range m.Layers {
				size += l.Size
			}
		}
	}
	return size
}

// heldSBOMs gives the documents of an image that all bases have. They are the same that would be made again, unless another
// version of the program made them.
func (b *builder) heldSBOMs(manifest digest.Digest) []bundle.SBOM {
	if b.Plain {
		return nil
	}
	var held []bundle.SBOM
	for i, k := range b.bases.list {
		var list []bundle.SBOM
		for _, s := range k.desc.SBOMs {
			if s.Image == manifest {
				s.Form = bundle.FormReuse
				list = append(list, s)
			}
		}
		if list == nil || i > 0 && !slices.Equal(list, held) {
			return nil
		}
		held = list
	}
	return held
}

func (b *builder) newSBOMs(ctx context.Context, img *released, m image.PlatformManifest, p *progress) ([]bundle.SBOM, error) {
	source := sbom.Image{Repository: img.name.Host + "/" + img.name.Repository, Manifest: m.Raw, Config: m.Config.Raw,
		Open: func(ctx context.Context, l ocispec.Descriptor) (io.ReadCloser, error) {
			r, err := b.openLayer(ctx, img, l)
			if err != nil {
				return nil, err
			}
			return &progressReader{r, p.add}, nil
		}}
	docs, err := sbom.Generate(ctx, source, b.work)
	if errors.Is(err, sbom.ErrNotContainer) {
		b.say("note", "%s has no SBOM: %v", img.name, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b.tellSkipped(img.name.String(), docs[0].Skipped)
	return b.addSBOMs(img.name.String(), m.Desc.Digest, docs), nil
}

// tellSkipped says what the SBOM of an image or a part does not know.
func (b *builder) tellSkipped(name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	text := lines[0]
	if len(lines) > 1 {
		text += fmt.Sprintf(" (and %d more, which it names)", len(lines)-1)
	}
	b.say("note", "the SBOM of %s is not complete: %s", name, text)
}

// openLayer opens a layer's original bytes, from its file if it has been fetched or is worth fetching.
func (b *builder) openLayer(ctx context.Context, img *released, l ocispec.Descriptor) (io.ReadCloser, error) {
	open := func(ctx context.Context) (io.ReadCloser, error) { return img.OpenBlob(ctx, l) }
	if !img.remote && !b.staged.has(l.Digest) {
		return open(ctx)
	}
	return b.staged.open(ctx, l, open)
}

// add gives a blob of the bundle its bytes.
func (b *builder) add(desc ocispec.Descriptor, open func() (io.ReadCloser, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[desc.Digest] = bundle.Part{Desc: desc, Open: open}
}

func (b *builder) addBytes(d digest.Digest, raw []byte) {
	b.add(ocispec.Descriptor{Digest: d, Size: int64(len(raw))},
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil })
}
