package build

import (
	"context"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/delta"
)

// lostPart says of a part why it is no delta against the old one.
const lostPart = "the part of the base cannot be had here"

// similarParts lists the parts of the bases that a part may be made from: those of its name first, which will do as a rule.
func (b *builder) similarParts(x *blob) {
	for _, same := range []bool{true, false} {
		for _, k := range b.bases.list {
			if k.desc.OS == nil {
				continue
			}
			for _, p := range k.desc.OS.Parts {
				if (p.Name == x.part.Name) == same && b.bases.held[p.Digest] && !slices.Contains(x.olds, p.Digest) {
					x.olds = append(x.olds, p.Digest)
				}
			}
		}
		if x.near == 0 {
			x.near = len(x.olds)
		}
	}
}

// partOlds gives the old parts that a part is made from: that of its name; where there is none to be had, any.
func (b *builder) partOlds(ctx context.Context, x *blob, _ io.ReadSeeker) ([]*old, error) {
	olds, err := b.expandOlds(ctx, x, x.olds[:x.near])
	if err != nil || len(olds) > 0 || x.near == 0 {
		return olds, err
	}
	x.out.Note = lostPart
	return b.expandOlds(ctx, x, x.olds[x.near:])
}

// raw takes a part of a base as it is: a site reads it from where it stands. A file that an earlier bundle carried stays
// where it is.
func (s *oldBlobs) raw(ctx context.Context, desc ocispec.Descriptor, r io.Reader) (*old, error) {
	path := filepath.Join(s.dir, desc.Digest.Encoded())
	if carried, ok := r.(*os.File); ok {
		path = carried.Name()
	} else {
		verified := &verifiedReader{r: r, left: desc.Size, sum: desc.Digest.Verifier(), name: desc.Digest}
		if err := saveBlob(ctx, s.dir, desc.Digest, verified); err != nil {
			return nil, err
		}
	}
	sum, err := hex.DecodeString(desc.Digest.Encoded())
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &old{digest: desc.Digest, plain: delta.Raw(file, desc.Size, sum), close: file.Close, size: desc.Size}, nil
}

// inFile takes a part from the image that a lock file names, if that still has the part's bytes. Of an image that became
// another the size tells, as a rule, before anybody reads it.
func (f *finder) inFile(ctx context.Context, d digest.Digest) bool {
	for _, k := range slices.Concat(f.b.bases.list, f.b.bases.older) {
		image := k.images[d]
		if _, _, packed := artifactSource(image); image == "" || packed {
			continue
		}
		x := &part{PartSpec: PartSpec{Image: image}, path: f.b.spec.path(image)}
		st, err := os.Stat(x.path)
		if err != nil || st.Size() != k.blobs[d].Size {
			continue
		}
		if err := x.digest(ctx, f.b.measure("os")); err != nil || x.desc.Digest != d {
			continue
		}
		f.mu.Lock()
		f.ways[d] = &way{desc: descOf(k.blobs[d]), file: x.path, from: k}
		f.mu.Unlock()
		return true
	}
	return false
}
