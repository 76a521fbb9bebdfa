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

// download opens a blob or a manifest of a known size; one that breaks off is taken up where it broke.
func (r *registry) download(ctx context.Context, kind string, desc ocispec.Descriptor) (io.ReadCloser, error) {
	d := &resuming{size: desc.Size, pause: r.patience.Pause,
		from:    func(offset int64) (io.ReadCloser, int64, error) { return r.from(ctx, kind, desc, offset) },
		wait:    func(d time.Duration) error { return sleep(ctx, d) },
		explain: func(err error) error { return registryError(ctx, err, r.name.Host) },
	}
	return d, d.open()
}

// from asks for a blob from an offset on. A registry that knows no ranges gives all of it: then the reader has to
// skip as many bytes as are returned.
func (r *registry) from(ctx context.Context, kind string, desc ocispec.Descriptor, offset int64) (body io.ReadCloser, skip int64, err error) {
	header := http.Header{}
	if kind == "manifests" {
		header = acceptManifests()
	}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, desc.Size-1))
	}
	resp, err := r.get(ctx, r.url(kind, desc.Digest.String()), header, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		return resp.Body, offset, nil
	}
	if start := fmt.Sprintf("bytes %d-", offset); !strings.HasPrefix(resp.Header.Get("Content-Range"), start) {
		return nil, 0, closing(resp.Body, &NetworkError{Host: r.name.Host,
			Problem: fmt.Sprintf("gives %q where %q was asked for", resp.Header.Get("Content-Range"), start)})
	}
	return resp.Body, 0, nil
}

// resuming reads a download of a known size and reopens it after a fault.
type resuming struct {
	from    func(offset int64) (io.ReadCloser, int64, error)
	wait    func(time.Duration) error
	explain func(error) error
	pause   time.Duration
	body    io.ReadCloser // nil after a fault
	skip    int64         // bytes of body that have been read before
	size    int64
	offset  int64
	faults  int // since the last byte
	stalls  int // of these, how often nothing came
}

func (r *resuming) open() (err error) {
	if r.body, r.skip, err = r.from(r.offset); err != nil {
		r.body = nil
	}
	return err
}

// Read implements io.Reader.
func (r *resuming) Read(p []byte) (int, error) {
	for {
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err // asked for patiently already
			}
		}
		n, err := r.read(p)
		r.offset += int64(n)
		if n > 0 {
			r.faults, r.stalls = 0, 0
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

func (r *resuming) read(p []byte) (int, error) {
	if r.skip > 0 {
		n, err := io.CopyN(io.Discard, r.body, r.skip)
		r.skip -= n
		if err != nil {
			return 0, err
		}
	}
	return r.body.Read(p)
}

// fault drops the body and waits; it gives the error back once it is no longer worth another try.
func (r *resuming) fault(err error) error {
	_ = r.body.Close() // broken already
	r.body = nil
	r.faults++
	if errors.Is(err, errStalled) {
		r.stalls++
	}
	if r.faults >= maxTries || r.stalls >= maxSilent {
		err = r.explain(err)
		var trouble *NetworkError
		if errors.As(err, &trouble) {
			trouble.Problem += fmt.Sprintf(" after %d of %d bytes", r.offset, r.size)
		}
		return err
	}
	return r.wait(r.pause << (r.faults - 1))
}

// Close implements io.Closer.
func (r *resuming) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
