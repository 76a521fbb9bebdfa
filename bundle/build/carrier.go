package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
)

// carrier has the blobs that travelled with an earlier release.
type carrier interface {
	// extract writes the blobs of want that it has to files of dir, named by their digests. It has checked their bytes.
	extract(ctx context.Context, want map[digest.Digest]int64, dir string) error
}

// bundleCarrier is a bundle's path, parts included.
type bundleCarrier string

// extract reads the bundle once, up to the last blob that is wanted.
func (c bundleCarrier) extract(ctx context.Context, want map[digest.Digest]int64, dir string) error {
	f, err := bundle.OpenFile(string(c), nil)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := bundle.NewReader(f)
	if err != nil {
		return err
	}
	for left := len(want); left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := want[e.Desc.Digest]; !ok {
			continue
		}
		if err := saveBlob(ctx, dir, e.Desc.Digest, e); err != nil {
			return err
		}
		left--
	}
	return nil
}

// layoutCarrier is an OCI layout's folder.
type layoutCarrier string

func (c layoutCarrier) open(d digest.Digest) (*os.File, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("%.100q: %w", d, err)
	}
	return os.Open(filepath.Join(string(c), ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded()))
}

// read reads a small blob and compares it with its digest.
func (c layoutCarrier) read(desc ocispec.Descriptor, limit int64) ([]byte, error) {
	f, err := c.open(desc.Digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(raw)) > limit:
		return nil, fmt.Errorf("%s has more than %d bytes", desc.Digest, limit)
	case desc.Digest.Algorithm().FromBytes(raw) != desc.Digest:
		return nil, fmt.Errorf("%s has other bytes than its digest says", desc.Digest)
	}
	return raw, nil
}

func (c layoutCarrier) extract(ctx context.Context, want map[digest.Digest]int64, dir string) error {
	for d, size := range want {
		f, err := c.open(d)
		if err != nil {
			return err
		}
		verified := &verifiedReader{r: f, left: size, sum: d.Verifier(), name: d}
		if err := errors.Join(saveBlob(ctx, dir, d, verified), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// registryCarrier is a release in a registry.
type registryCarrier struct{ img *image.Image }

func (c registryCarrier) extract(ctx context.Context, want map[digest.Digest]int64, dir string) error {
	for d, size := range want {
		r, err := c.img.OpenBlob(ctx, ocispec.Descriptor{MediaType: bundle.MediaTypePatch, Digest: d, Size: size})
		if err != nil {
			return err
		}
		if err := errors.Join(saveBlob(ctx, dir, d, r), r.Close()); err != nil {
			return err
		}
	}
	return nil
}

// saveBlob writes a blob to a file of dir that its digest names.
func saveBlob(ctx context.Context, dir string, d digest.Digest, r io.Reader) error {
	f, err := os.Create(filepath.Join(dir, d.Encoded()))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &contextReader{ctx, r})
	return errors.Join(err, f.Close())
}

// contextReader stops reading when its context ends. It lives for one copy.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// verifiedReader fails in place of io.EOF if the bytes are not what the digest names.
type verifiedReader struct {
	r    io.Reader
	left int64
	sum  digest.Verifier
	name digest.Digest
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.left -= int64(n)
	if _, herr := v.sum.Write(p[:n]); herr != nil {
		return 0, herr
	}
	if v.left < 0 || (err == io.EOF && (v.left != 0 || !v.sum.Verified())) {
		return 0, fmt.Errorf("blob %s has other bytes than its digest says", v.name)
	}
	return n, err
}
