package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// blobTries is how often a broken download is taken up again without a byte gained.
const blobTries = 4

// blob opens a blob; a download that breaks off is taken up where it broke.
func (r *registry) blob(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	from := func(offset int64) (io.ReadCloser, error) { return r.blobFrom(ctx, desc, offset) }
	body, err := from(0)
	if err != nil {
		return nil, err
	}
	return &resuming{from: from, wait: func(d time.Duration) error { return sleep(ctx, d) }, body: body, size: desc.Size}, nil
}

// blobFrom opens a blob at an offset.
func (r *registry) blobFrom(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	header := http.Header{}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, desc.Size-1))
	}
	resp, err := r.get(ctx, r.url("blobs", desc.Digest.String()), header, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusPartialContent {
		if start := fmt.Sprintf("bytes %d-", offset); !strings.HasPrefix(resp.Header.Get("Content-Range"), start) {
			return nil, closing(resp.Body, fmt.Errorf("registry %s: asked for %q it gave %q", r.name.Host, start, resp.Header.Get("Content-Range")))
		}
		return resp.Body, nil
	}
	if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil { // a registry that knows no ranges
		return nil, closing(resp.Body, err)
	}
	return resp.Body, nil
}

// resuming reads a download of a known size and reopens it after a fault.
type resuming struct {
	from   func(offset int64) (io.ReadCloser, error)
	wait   func(time.Duration) error
	body   io.ReadCloser // nil after a fault
	size   int64
	offset int64
	faults int // since the last byte
}

// Read implements io.Reader.
func (r *resuming) Read(p []byte) (int, error) {
	for {
		n, err := r.read(p)
		r.offset += int64(n)
		if n > 0 {
			r.faults = 0
			return n, nil
		}
		if err == nil || errors.Is(err, io.EOF) && r.offset >= r.size {
			return 0, err
		}
		if err := r.fault(err); err != nil {
			return 0, err
		}
	}
}

// read reads from the open body, opening it first after a fault.
func (r *resuming) read(p []byte) (n int, err error) {
	if r.body == nil {
		if r.body, err = r.from(r.offset); err != nil {
			r.body = nil
			return 0, err
		}
	}
	return r.body.Read(p)
}

// fault drops the body and waits; it gives the error back once it is no longer worth another try.
func (r *resuming) fault(err error) error {
	if r.body != nil {
		_ = r.body.Close() // broken already
		r.body = nil
	}
	var final *Error
	if r.faults++; r.faults >= blobTries || errors.As(err, &final) {
		return fmt.Errorf("after %d of %d bytes: %w", r.offset, r.size, err)
	}
	return r.wait(time.Duration(r.faults*r.faults) * 200 * time.Millisecond)
}

// Close implements io.Closer.
func (r *resuming) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
