package apply

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// restorer makes original blobs out of patches, several at a time. It keeps an old blob, expanded, from the first patch
// that addresses it to the last.
type restorer struct {
	mirror BlobStore
	dir    string
	repos  map[digest.Digest]string // which repository has an old blob
	// reserved is what the release needs of the disk, in bytes; what helps without being needed leaves it alone.
	reserved int64

	mu   sync.Mutex
	olds map[digest.Digest]*oldBlob
}

// oldBlob is an old blob in its plain form.
type oldBlob struct {
	users int // patches that are still to come or under way
	ready sync.Once
	plain *delta.OldFile
	err   error
}

// newRestorer plans for the patches of all blobs that arrive.
func newRestorer(m BlobStore, dir string, p *plan, workers int) *restorer {
	inMirror, inState := p.needs(workers)
	s := &restorer{mirror: m, dir: dir, repos: p.bases, olds: map[digest.Digest]*oldBlob{}, reserved: inMirror + inState + spare}
	for _, b := range p.blobs {
		if !b.arrives() {
			continue
		}
		for _, base := range b.Bases {
			if s.olds[base.Digest] == nil {
				s.olds[base.Digest] = &oldBlob{}
			}
			s.olds[base.Digest].users++
		}
	}
	return s
}

// open starts restoring a blob. The reader gives exactly its bytes or an error. Once it is closed, the patch is not read
// any more.
func (s *restorer) open(ctx context.Context, b bundle.Blob, patch io.Reader) (io.ReadCloser, error) {
	var olds []delta.Old
	for _, base := range b.Bases {
		o, err := s.old(ctx, base)
		if err != nil {
			return nil, fmt.Errorf("read the base blob %.19s: %w", base.Digest, err)
		}
		olds = append(olds, o.Old)
	}
	return restoreBlob(ctx, b, patch, olds, s.dir), nil
}

// restoreBlob starts making a blob out of a patch and what it addresses. dir is for what is needed beside.
func restoreBlob(ctx context.Context, b bundle.Blob, patch io.Reader, olds []delta.Old, dir string) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	r := &restoring{pipe: pr, cancel: cancel, done: make(chan struct{}), want: b, sum: digest.SHA256.Digester()}
	go func() {
		defer close(r.done)
		// A patch writes a few bytes at a time; each through a pipe would be two switches of goroutines.
		w := bufio.NewWriterSize(pw, 128<<10)
		err := delta.Apply(ctx, w, patch, olds, delta.Limits{Size: b.Size, TempDir: dir})
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			err = fmt.Errorf("restore blob %.19s: %w", b.Digest, err)
		}
		_ = pw.CloseWithError(err) // never fails
	}()
	return r
}

// old returns an old blob in its plain form, which it makes if this is the first patch to need it.
func (s *restorer) old(ctx context.Context, b bundle.BaseBlob) (*delta.OldFile, error) {
	s.mu.Lock()
	o := s.olds[b.Digest]
	s.mu.Unlock()
	o.ready.Do(func() { o.plain, o.err = s.expand(ctx, b) })
	return o.plain, o.err
}

// expand writes the plain bytes of an old blob, which the mirror verifies as they come.
func (s *restorer) expand(ctx context.Context, b bundle.BaseBlob) (*delta.OldFile, error) {
	blob, err := s.mirror.OpenBlob(ctx, s.repos[b.Digest], b.Digest)
	if err != nil {
		return nil, err
	}
	o, err := delta.ExpandOld(ctx, blob, b.PlainSize, s.dir, s.room(b.PlainSize/tokensPart))
	if err == nil {
		// Bytes may follow the compressed stream; the digest is over them, too.
		_, err = io.Copy(io.Discard, blob)
	}
	err = errors.Join(err, blob.Close())
	if err == nil && o.Size != b.PlainSize {
		err = fmt.Errorf("it expands to %d bytes, not %d", o.Size, b.PlainSize)
	}
	if err != nil && o != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, err
}

// tokensPart is which part of the plain bytes of an old blob is enough to keep how it was compressed,
// which takes a quarter or a third of them as a rule.
const tokensPart = 2

// room returns how many bytes, of so many that are wanted, the disk has beside all that the release needs of it.
func (s *restorer) room(wanted int64) int64 {
	d, err := diskOf(s.dir)
	if err != nil {
		return 0
	}
	return min(wanted, max(d.free-s.reserved, 0))
}

// restored gives up the old blobs that no other patch needs.
func (s *restorer) restored(b bundle.Blob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, base := range b.Bases {
		o := s.olds[base.Digest]
		if o.users--; o.users == 0 && o.plain != nil {
			plain := o.plain
			o.plain = nil
			if err := plain.Close(); err != nil {
				return stateError(err)
			}
		}
	}
	return nil
}

func (s *restorer) close() {
	for _, o := range s.olds {
		if o.plain != nil {
			_ = o.plain.Close() // the whole folder is removed after the run
		}
	}
}

func closeTemp(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// restoring is a blob that is being made. The last bytes are held back until the digest is known to be right.
type restoring struct {
	pipe   *io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
	want   bundle.Blob
	sum    digest.Digester
	n      int64
}

func (r *restoring) Read(p []byte) (int, error) {
	n, err := r.pipe.Read(p)
	r.n += int64(n)
	r.sum.Hash().Write(p[:n])
	switch {
	case r.n > r.want.Size:
		return 0, fmt.Errorf("restore blob %.19s: more than %d bytes came out", r.want.Digest, r.want.Size)
	case r.n == r.want.Size && r.sum.Digest() != r.want.Digest:
		return 0, fmt.Errorf("restore blob %.19s: the bytes that came out have the digest %.19s", r.want.Digest, r.sum.Digest())
	case errors.Is(err, io.EOF) && r.n < r.want.Size:
		return 0, fmt.Errorf("restore blob %.19s: %d bytes came out, not %d", r.want.Digest, r.n, r.want.Size)
	}
	return n, err
}

// Close stops the making and waits for its end, so that the patch is not read any more.
func (r *restoring) Close() error {
	r.cancel()
	err := r.pipe.Close()
	<-r.done
	return err
}

// progressReader tells how much was read.
type progressReader struct {
	io.Reader
	tell func(n int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.tell(int64(n))
	return n, err
}

// cancelReader ends with its context.
type cancelReader struct {
	ctx context.Context // of the copy that reads it
	r   io.Reader
}

func (c *cancelReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
