package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Open makes a blob's bytes, from the start. It is called again when an upload has to begin anew. If what it returns
// is an io.Seeker, an interrupted upload goes on where the registry stopped; otherwise bytes are skipped by reading.
type Open func() (io.ReadCloser, error)

// PushBlob brings a blob of desc.Digest and desc.Size into a repository. It returns false if the blob was there
// already. A failure of the source comes back as it is, unless it is hidden behind one of the mirror.
func (c *Client) PushBlob(ctx context.Context, repo string, desc ocispec.Descriptor, open Open) (pushed bool, err error) {
	if ok, err := c.complete(ctx, repo, desc); ok || err != nil {
		return false, err
	}
	return true, c.pushBlob(ctx, repo, desc, open)
}

// StreamBlob is PushBlob for bytes that exist once, such as a delta's output. It reads nothing from r if the blob is
// there already. When the upload breaks off the error is ErrRetry: nothing is left behind, and the caller may make
// the stream again. After it has returned, r is not read any more.
func (c *Client) StreamBlob(ctx context.Context, repo string, desc ocispec.Descriptor, r io.Reader) (pushed bool, err error) {
	if ok, err := c.complete(ctx, repo, desc); ok || err != nil {
		return false, err
	}
	used := false
	return true, c.pushBlob(ctx, repo, desc, func() (io.ReadCloser, error) {
		if used {
			return nil, ErrRetry
		}
		used = true
		return io.NopCloser(r), nil
	})
}

// RepairBlob replaces a blob that the repository has, but damaged (Fsck finds those), and reads it back. It deletes
// the blob first, so that the registry takes other bytes for it. One that keeps what it had makes an error that is
// ErrDamaged.
func (c *Client) RepairBlob(ctx context.Context, repo string, desc ocispec.Descriptor, open Open) error {
	if err := c.deleteBlob(ctx, repo, desc.Digest); err != nil && !errors.Is(err, ErrDeleteRefused) {
		return err
	}
	if err := c.pushBlob(ctx, repo, desc, open); err != nil {
		return err
	}
	return c.readBlob(ctx, repo, desc.Digest)
}

// readBlob reads a blob to its end, which verifies it.
func (c *Client) readBlob(ctx context.Context, repo string, dgst digest.Digest) error {
	_, err := c.countBlob(ctx, repo, dgst)
	return err
}

// countBlob is readBlob, and tells how many bytes it read.
func (c *Client) countBlob(ctx context.Context, repo string, dgst digest.Digest) (int64, error) {
	r, err := c.OpenBlob(ctx, repo, dgst)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}

// complete tells whether the repository has the blob, with the right size.
func (c *Client) complete(ctx context.Context, repo string, desc ocispec.Descriptor) (bool, error) {
	size, ok, err := c.StatBlob(ctx, repo, desc.Digest)
	if ok && size != desc.Size {
		c.log.Warn("mirror: blob has the wrong size, pushing it again",
			"repository", repo, "digest", desc.Digest, "size", size, "want", desc.Size)
	}
	return ok && size == desc.Size, err
}

// pushBlob uploads whether the blob is there or not, and confirms that it is there then.
func (c *Client) pushBlob(ctx context.Context, repo string, desc ocispec.Descriptor, open Open) error {
	if err := checkDigest(desc.Digest); err != nil {
		return c.fail(ctx, err, "push blob to %s", repo)
	}
	u := &upload{c: c, repo: repo, desc: desc, open: open}
	if err := u.run(ctx); err != nil {
		var se *SourceError
		if errors.As(err, &se) {
			return err
		}
		return c.fail(ctx, err, "push blob %s to %s", desc.Digest, repo)
	}
	size, err := c.headBlob(ctx, repo, desc.Digest)
	if err == nil && size != desc.Size {
		err = fmt.Errorf("%w: it has %d bytes after a push of %d", ErrDamaged, size, desc.Size)
	}
	return c.fail(ctx, err, "confirm blob %s in %s", desc.Digest, repo)
}

// SourceError is a failure of what makes the bytes of a push, such as a stick that was pulled. It has the reason and
// hint of its cause.
type SourceError struct {
	Digest digest.Digest
	Err    error
}

func (e *SourceError) Error() string { return fmt.Sprintf("read blob %s: %v", e.Digest, e.Err) }

func (e *SourceError) Unwrap() error { return e.Err }

// Job is one blob for PushBlobs.
type Job struct {
	Repository string
	Desc       ocispec.Descriptor
	Open       Open
}

// Totals tells what PushBlobs did, in blobs and bytes.
type Totals struct {
	Pushed, Reused           int
	PushedBytes, ReusedBytes int64
}

// PushBlobs pushes blobs in parallel, at most workers at a time (0: Config.Workers). It stops at the first failure.
func (c *Client) PushBlobs(ctx context.Context, jobs []Job, workers int) (Totals, error) {
	if workers <= 0 {
		workers = c.workers
	}
	done := make([]bool, len(jobs))
	pushed := make([]bool, len(jobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i, job := range jobs {
		g.Go(func() (err error) {
			pushed[i], err = c.PushBlob(ctx, job.Repository, job.Desc, job.Open)
			done[i] = err == nil
			return err
		})
	}
	err := g.Wait()
	var t Totals
	for i, job := range jobs {
		switch {
		case !done[i]:
		case pushed[i]:
			t.Pushed++
			t.PushedBytes += job.Desc.Size
		default:
			t.Reused++
			t.ReusedBytes += job.Desc.Size
		}
	}
	return t, err
}
