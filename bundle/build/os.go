package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// part is a part of the operating system whose bytes are in a file.
type part struct {
	PartSpec
	path     string
	desc     ocispec.Descriptor
	modified time.Time // as the file was when its digest was taken
}

// gatherOS finds the images of the operating system and takes their digests.
func (b *builder) gatherOS(ctx context.Context) error {
	if b.spec.OS == nil {
		return nil
	}
	p := b.measure("os")
	for _, s := range b.spec.OS.Parts {
		x := &part{PartSpec: s}
		if err := b.fetchPart(ctx, x); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return at(reasonOf(err, "image"), s.Place, hintOf(err, ""), fmt.Errorf("part %s: %w", s.Name, err))
		}
		st, err := os.Stat(x.path)
		if err != nil {
			return err
		}
		p.total += st.Size()
		b.release.parts = append(b.release.parts, x)
	}
	var names []string
	for _, x := range b.release.parts {
		if err := x.digest(ctx, p); err != nil {
			return err
		}
		names = append(names, fmt.Sprintf("%s %s", x.Name, humanize.Bytes(uint64(x.desc.Size))))
	}
	b.say("os", "%s", strings.TrimSpace(b.spec.OS.Version+" "+strings.Join(names, ", ")))
	return nil
}

// fetchPart finds the file of a part; what is in an OCI artifact is brought here first.
func (b *builder) fetchPart(ctx context.Context, x *part) error {
	source, inside, packed := artifactSource(x.Image)
	if !packed {
		x.path = b.spec.path(x.Image)
		return nil
	}
	f, err := b.images.File(ctx, source, inside)
	if err != nil {
		return err
	}
	r, err := f.Open(ctx)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	dir := filepath.Join(b.work, "parts")
	if err = os.MkdirAll(dir, 0o700); err == nil {
		err = saveBlob(ctx, dir, f.Desc.Digest, r)
	}
	x.path = filepath.Join(dir, f.Desc.Digest.Encoded())
	return errors.Join(err, r.Close(), f.Close())
}

// digest reads the file once.
func (x *part) digest(ctx context.Context, p *progress) error {
	f, err := os.Open(x.path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() == 0 || st.Size() > bundle.MaxPartSize {
		return at("spec", x.Place, "", fmt.Errorf("part %s: %s is no regular file of 1 to %d bytes", x.Name, x.Image, int64(bundle.MaxPartSize)))
	}
	sum := digest.SHA256.Digester()
	n, err := io.CopyBuffer(sum.Hash(), struct{ io.Reader }{&contextReader{ctx, &progressReader{f, p.add}}}, make([]byte, 1<<20))
	if err != nil {
		return fmt.Errorf("reading %s: %w", x.path, err)
	}
	x.modified = st.ModTime()
	x.desc = ocispec.Descriptor{MediaType: bundle.MediaTypePart, Digest: sum.Digest(), Size: n}
	return x.unchanged()
}

// unchanged tells whether the file still is what its digest was taken of, as far as its size and time tell.
func (x *part) unchanged() error {
	st, err := os.Stat(x.path)
	if err != nil {
		return err
	}
	if st.Size() != x.desc.Size || !st.ModTime().Equal(x.modified) {
		return at("spec", x.Place, "build the bundle again when the image is finished",
			fmt.Errorf("part %s: %s changed while the bundle was built", x.Name, x.Image))
	}
	return nil
}

// open opens the file.
func (x *part) open() (*os.File, error) {
	if err := x.unchanged(); err != nil {
		return nil, err
	}
	return os.Open(x.path)
}

// describeOS is the operating system as the release tells of it.
func (b *builder) describeOS() *bundle.OS {
	if b.spec.OS == nil {
		return nil
	}
	o := &bundle.OS{Version: b.spec.OS.Version}
	for _, x := range b.release.parts {
		o.Parts = append(o.Parts, bundle.OSPart{Name: x.Name, Digest: x.desc.Digest, Size: x.desc.Size})
	}
	return o
}
