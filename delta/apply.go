package delta

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"runtime"

	"github.com/sallyport-dev/sallyport/delta/recompress"
	"golang.org/x/sync/errgroup"
)

// Apply writes to w the blob that patch makes out of olds, which are those of Diff's olds that the
// patch reads (Result.Used), in their order. Nothing is written before the olds have been found to be
// the right ones, and never more than l.Size bytes.
//
// Errors have a reason: "format", "truncated", "digest" (the blob came out wrong), "base" (an old is
// not the right one) or "newer".
func Apply(ctx context.Context, w io.Writer, patch io.Reader, olds []Old, l Limits) error {
	in := bufio.NewReaderSize(patch, 64<<10)
	h, err := readHeader(in)
	if err != nil {
		return err
	}
	if h.blobSize != l.Size {
		return malformed("makes a blob of %d bytes, not the declared %d", h.blobSize, l.Size)
	}
	if err := checkSizes(h, olds); err != nil {
		return err
	}
	s, err := openStreams(in, h.streams, l.TempDir)
	if err != nil {
		return err
	}
	defer s.close()
	recipe, err := readRecipe(s.readers[streamRecipe])
	if err != nil {
		return err
	}
	if recipe.PlainSize() != h.plainSize {
		return malformed("recipe takes %d plain bytes of %d", recipe.PlainSize(), h.plainSize)
	}
	out := &checkedWriter{w: w, left: h.blobSize, hash: sha256.New()}
	packer := recipe.NewWriter(out)
	checked := checkOlds(ctx, h, olds)
	err = restore(ctx, packer, checked, s, newSource(only(olds, h)), h.plainSize, scratch{l.TempDir, h.scratch})
	if failed := checked(); failed != nil {
		err = failed // whatever wrong olds lead to
	}
	if err != nil {
		return err
	}
	if err := packer.Close(); err != nil {
		return err
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return malformed("goes on after its end")
	}
	return out.check(h.blobDigest)
}

// Needs says what applying a patch takes.
type Needs struct {
	Size    int64 // bytes of the blob
	Plain   int64 // bytes of the expanded blob, which is never kept
	Scratch int64 // bytes of temporary files at most
}

// ReadNeeds reads what applying a patch takes from its header: patch is read a little beyond that.
// Errors are as Apply's.
func ReadNeeds(patch io.Reader) (Needs, error) {
	h, err := readHeader(bufio.NewReader(patch))
	if err != nil {
		return Needs{}, err
	}
	return Needs{Size: h.blobSize, Plain: h.plainSize, Scratch: h.scratch + spooled(h.streams)}, nil
}

// checkSizes tells whether there are as many olds as the patch needs, of the right sizes.
func checkSizes(h *header, olds []Old) error {
	if len(olds) != len(h.olds) {
		return &Error{reason: "base", message: fmt.Sprintf("patch needs %d base blobs, got %d", len(h.olds), len(olds))}
	}
	for i, want := range h.olds {
		if olds[i].Size != want.size {
			return &Error{reason: "base", message: fmt.Sprintf("base blob %d has %d plain bytes, the patch needs %d", i, olds[i].Size, want.size)}
		}
	}
	return nil
}

// only returns what a patch uses of its olds.
func only(olds []Old, h *header) []Old {
	used := make([]Old, len(olds))
	for i, want := range h.olds {
		used[i] = olds[i].only(want.tokens)
	}
	return used
}

// checkOlds begins to look whether the olds are the right ones. What it returns waits until that is known, and tells.
func checkOlds(ctx context.Context, h *header, olds []Old) func() error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		for i, want := range h.olds {
			g.Go(func() error {
				sum, err := digestOld(ctx, olds[i])
				if err != nil {
					return err
				}
				if sum != want.digest {
					return &Error{reason: "base", message: fmt.Sprintf("base blob %d is not the one that the patch was made against", i)}
				}
				return nil
			})
		}
		err = g.Wait()
	}()
	return func() error {
		<-done
		return err
	}
}

func readRecipe(s *stream) (*recompress.Recipe, error) {
	if s.left.N > recompress.MaxRecipe {
		return nil, malformed("recipe of %d bytes", s.left.N)
	}
	b, err := io.ReadAll(s)
	if err != nil {
		return nil, readError(err)
	}
	return recompress.Parse(b)
}

// checkedWriter passes no byte beyond the declared ones and knows their digest.
type checkedWriter struct {
	w    io.Writer
	left int64
	hash hash.Hash
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, malformed("makes more bytes than it declares")
	}
	n, err := c.w.Write(p)
	c.left -= int64(n)
	c.hash.Write(p[:n])
	return n, err
}

func (c *checkedWriter) check(want [sha256.Size]byte) error {
	if c.left > 0 {
		return malformed("makes %d bytes fewer than it declares", c.left)
	}
	if [sha256.Size]byte(c.hash.Sum(nil)) != want {
		return &Error{reason: "digest", message: "patch made a blob other than the one it declares"}
	}
	return nil
}
