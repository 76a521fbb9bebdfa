package apply

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/bundle"
)

const (
	// maxWorkers bounds the blobs that are restored or pushed beside the one that is being read; each may take
	// some 25 MiB of memory, and all of a load has to do with 96, of which the program itself takes a quarter.
	maxWorkers = 2
	// smallBlob is the size up to which a full blob is held in memory for a worker to push. Larger ones are streamed.
	smallBlob = 1 << 20
)

// loader takes a bundle apart, blob by blob, in its order. It reads alone, and leaves patches and small blobs to
// workers; it waits when all of them are busy, so what is read ahead is bounded.
type loader struct {
	*run
	plan     *plan
	dir      string
	keep     map[digest.Digest]bool
	payload  map[digest.Digest]*blobPlan // by what travels
	restorer *restorer
	parts    *partLoader // nil: none are to be written
	workers  *errgroup.Group

	mu                sync.Mutex
	total, done, told int64 // bytes of blobs that arrive
}

func newLoader(r *run, dir string) *loader {
	l := &loader{run: r, plan: r.plan, dir: dir, keep: keepers(r.plan.descriptor), total: r.plan.pushing,
		payload: map[digest.Digest]*blobPlan{}, restorer: newRestorer(r.mirror, dir, r.plan, r.workers()), parts: r.newPartLoader(dir)}
	for _, b := range l.plan.blobs {
		if b.Payload != nil {
			l.payload[b.Payload.Digest] = b
		}
		if len(b.missing) == 0 && b.MediaType != bundle.MediaTypePart {
			l.bytes.Reused += b.Size
		}
	}
	return l
}

// workers is how many blobs are worked on beside the one that is read.
func (s *Site) workers() int {
	if s.deps.Workers > 0 {
		return s.deps.Workers
	}
	return min(runtime.GOMAXPROCS(0), maxWorkers)
}

func (l *loader) all(ctx context.Context) error {
	var inGroup context.Context
	l.workers, inGroup = errgroup.WithContext(ctx)
	l.workers.SetLimit(l.run.workers())
	err := l.read(inGroup)
	// A worker that failed has stopped the reading: its error is the one to tell.
	if failed := l.workers.Wait(); failed != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := l.parts.rest(ctx); err != nil {
		return err
	}
	if err := l.mountRest(ctx); err != nil {
		return err
	}
	return l.images(ctx)
}

// read goes through the bundle to its very end.
func (l *loader) read(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := l.bundle.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.entry(ctx, e); err != nil {
			return err
		}
	}
}

// entry does with one blob of the bundle what the plan says. What it leaves unread, the bundle reads and verifies.
func (l *loader) entry(ctx context.Context, e *bundle.Entry) error {
	b := l.payload[e.Desc.Digest]
	if b != nil && l.parts.wants(b.Blob) {
		return l.parts.load(ctx, b.Blob, e)
	}
	wanted := b != nil && b.arrives()
	spool := filepath.Join(l.dir, e.Desc.Digest.Encoded())
	if l.keep[e.Desc.Digest] {
		if err := l.spool(ctx, spool, e); err != nil {
			return err
		}
		// The file stays: it is a manifest, or the objects.
		if !wanted {
			return nil
		}
		return l.pushFile(ctx, b, spool)
	}
	switch {
	case !wanted:
		return nil
	case b.Form == bundle.FormFull && b.Size > smallBlob:
		return l.stream(ctx, b, e)
	case b.Form == bundle.FormFull:
		data, err := io.ReadAll(&cancelReader{ctx, e})
		if err != nil {
			return err
		}
		l.workers.Go(func() error { return l.stream(ctx, b, bytes.NewReader(data)) })
		return nil
	}
	if err := l.spool(ctx, spool, e); err != nil {
		return err
	}
	l.workers.Go(func() error { return l.restore(ctx, b, spool) })
	return nil
}

// spool keeps a blob of the bundle in the state folder.
func (l *loader) spool(ctx context.Context, path string, e *bundle.Entry) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return stateError(err)
	}
	_, err = io.Copy(f, &cancelReader{ctx, e})
	return errors.Join(err, f.Close())
}

func (l *loader) pushFile(ctx context.Context, b *blobPlan, path string) error {
	open := func() (io.ReadCloser, error) { return os.Open(path) }
	pushed, err := l.mirror.PushBlob(ctx, b.missing[0], descOf(b.Blob), open)
	if err != nil {
		return err
	}
	l.progress(b.Size)
	return l.arrived(ctx, b, pushed)
}

func (l *loader) stream(ctx context.Context, b *blobPlan, r io.Reader) error {
	pushed, err := l.mirror.StreamBlob(ctx, b.missing[0], descOf(b.Blob), &progressReader{r, l.progress})
	if err != nil {
		return err
	}
	return l.arrived(ctx, b, pushed)
}

// restore makes the original blob out of the patch in a file and the old blobs, on its way to the mirror.
func (l *loader) restore(ctx context.Context, b *blobPlan, spool string) error {
	patch, err := os.Open(spool)
	if err != nil {
		return stateError(err)
	}
	original, err := l.restorer.open(ctx, b.Blob, patch)
	if err == nil {
		err = errors.Join(l.stream(ctx, b, original), original.Close())
	}
	if err = errors.Join(err, closeTemp(patch)); err != nil {
		return err
	}
	return l.restorer.restored(b.Blob)
}

// arrived brings a blob from the first repository into the others that want it.
func (l *loader) arrived(ctx context.Context, b *blobPlan, pushed bool) error {
	l.count(b.Size, pushed)
	b.from, b.missing = b.missing[0], b.missing[1:]
	return l.mount(ctx, b)
}

// count notes a blob that the mirror has now.
func (l *loader) count(n int64, pushed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if pushed {
		l.bytes.Pushed += n
	} else {
		l.bytes.Reused += n
	}
}

// mountRest brings the blobs that the mirror has elsewhere to where the release wants them.
func (l *loader) mountRest(ctx context.Context) error {
	for _, blob := range l.plan.descriptor.Blobs {
		b := l.plan.blobs[blob.Digest]
		if len(b.missing) == 0 {
			continue
		}
		if err := l.mount(ctx, b); err != nil {
			return err
		}
		l.count(b.Size, false)
	}
	return nil
}

// mount makes a blob known in the repositories that lack it; a registry that cannot do so is sent the bytes that it
// has itself.
func (l *loader) mount(ctx context.Context, b *blobPlan) error {
	for len(b.missing) > 0 {
		to := b.missing[0]
		ok, err := l.mirror.Mount(ctx, b.from, to, b.Digest)
		if err != nil {
			return err
		}
		if !ok {
			open := func() (io.ReadCloser, error) { return l.mirror.OpenBlob(ctx, b.from, b.Digest) }
			if _, err := l.mirror.PushBlob(ctx, to, descOf(b.Blob), open); err != nil {
				return err
			}
		}
		b.missing = b.missing[1:]
	}
	return nil
}

// images pushes the manifests, now that everything they name is there. No tag that something runs by moves yet.
func (l *loader) images(ctx context.Context) error {
	for _, img := range l.plan.descriptor.Images {
		if _, err := l.mirror.PushImage(ctx, img, l.spooled); err != nil {
			return err
		}
	}
	return nil
}

// progress tells of n more bytes, in steps of a percent at most.
func (l *loader) progress(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += n
	if l.total > 0 && (l.done >= l.told+l.total/100 || l.done == l.total) {
		l.told = l.done
		l.tell(Event{Label: "loading", Text: "restored", Done: min(l.done, l.total), Total: l.total})
	}
}

func descOf(b bundle.Blob) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: b.MediaType, Digest: b.Digest, Size: b.Size}
}
