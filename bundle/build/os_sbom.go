package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/rootfs"
	"github.com/sallyport-dev/sallyport/bundle/sbom"
)

// rooted is a part whose file system can be read.
type rooted struct {
	*part
	fs   *rootfs.FS
	file *os.File
}

// openRoots opens the file systems of the operating system. Of those that cannot be read it says so; a kernel is none.
func (b *builder) openRoots() ([]rooted, error) {
	var roots []rooted
	for _, x := range b.release.parts {
		file, err := x.open()
		if err != nil {
			return roots, err
		}
		f, err := rootfs.Open(file, x.desc.Size)
		if err == nil {
			roots = append(roots, rooted{x, f, file})
			continue
		}
		if !errors.Is(err, rootfs.ErrNone) {
			b.say("note", "part %s is not looked into, and has no SBOM: %v", x.Name, err)
		}
		if err := file.Close(); err != nil {
			return roots, err
		}
	}
	return roots, nil
}

func closeRoots(roots []rooted) error {
	var errs []error
	for _, r := range roots {
		errs = append(errs, r.file.Close())
	}
	return errors.Join(errs...)
}

// partSBOMs makes the documents of each part whose file system can be read. Those of a part that a base has are the base's.
func (b *builder) partSBOMs(ctx context.Context, roots []rooted) (fresh int, err error) {
	seen := make(map[digest.Digest]bool)
	for _, r := range roots {
		if seen[r.desc.Digest] {
			continue
		}
		seen[r.desc.Digest] = true
		list := b.heldSBOMs(r.desc.Digest)
		if list == nil {
			if list, err = b.partSBOM(ctx, r); err != nil {
				return fresh, fmt.Errorf("SBOM of part %s: %w", r.Name, err)
			}
			fresh++
		}
		b.sboms = append(b.sboms, list...)
	}
	return fresh, nil
}

func (b *builder) partSBOM(ctx context.Context, r rooted) ([]bundle.SBOM, error) {
	tree := sbom.Tree{Name: "os/" + r.Name, Digest: r.desc.Digest, Size: r.desc.Size,
		Write: func(ctx context.Context, w io.Writer) ([]string, error) {
			return r.fs.WriteTar(ctx, w, sbom.LargestFile)
		}}
	docs, err := sbom.GenerateTree(ctx, tree, b.work)
	if err != nil {
		return nil, err
	}
	b.tellSkipped("part "+r.Name, docs[0].Skipped)
	return b.addSBOMs("part "+r.Name, r.desc.Digest, docs), nil
}

// addSBOMs gives the bundle the documents of an image or a part, unless with them there would be more than readers take: no bundle is
// made that nobody can look into.
func (b *builder) addSBOMs(name string, of digest.Digest, docs []sbom.Document) []bundle.SBOM {
	for _, d := range docs {
		if d.Format != "spdx" {
			continue
		}
		if err := b.listing.Add(bytes.NewReader(d.Compressed)); err != nil {
			b.say("note", "%s has no SBOM: %v", name, err)
			return nil
		}
	}
	var list []bundle.SBOM
	for _, d := range docs {
		desc := ocispec.Descriptor{Digest: digest.FromBytes(d.Compressed), Size: int64(len(d.Compressed))}
		b.addBytes(desc.Digest, d.Compressed)
		list = append(list, bundle.SBOM{Image: of, Format: d.Format, Digest: desc.Digest, Size: desc.Size,
			Form: bundle.FormFull, Packages: d.Packages})
	}
	return list
}
