package delta

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/sallyport-dev/sallyport/delta/program"
	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// proven makes a patch and proves it. A patch that does not make the blob is a fault of the engine,
// which must not cost a release: then another one takes all files for bytes and codes them in the
// simplest way.
func (b *builder) proven() (*header, []io.ReadSeeker, error) {
	h, bodies, err := b.provenPatch()
	if isFault(err) && !b.certain {
		h, bodies, err = b.withOtherRecipe(err)
	}
	if !isFault(err) {
		return h, bodies, err
	}
	b.close()
	b.failed = err
	return b.provenPatch()
}

// withOtherRecipe tries again with a recipe that is proven, if that is another one than was likely.
func (b *builder) withOtherRecipe(fault error) (*header, []io.ReadSeeker, error) {
	recipe, err := b.plain.layout.Find(b.ctx, b.blob, b.plain)
	if err != nil {
		return nil, nil, err
	}
	b.certain = true
	if bytes.Equal(recipe.Marshal(), b.recipe.Marshal()) {
		return nil, nil, fault
	}
	b.close()
	b.recipe = recipe
	return b.provenPatch()
}

func (b *builder) provenPatch() (*header, []io.ReadSeeker, error) {
	h, bodies, err := b.patch()
	if err != nil {
		return nil, nil, err
	}
	return h, bodies, b.proveAll(h, bodies)
}

// isFault tells errors of the engine from those of reading, and of who wants no patch any more.
func isFault(err error) bool {
	var refused *Error
	var broken *recompress.Error
	return errors.Is(err, errOther) || errors.Is(err, program.ErrInvalid) || errors.As(err, &refused) || errors.As(err, &broken)
}

// replays tells whether the blob's encoder may take over what the one of an old decided.
func (b *builder) replays(o Old) bool {
	return b.failed == nil && o.Tokens != nil && b.recipe.Replays(o.Tokens, o, o.Size)
}

// errOther says that a patch makes other bytes than it should.
var errOther = errors.New("prove patch: it makes other bytes")

// proveAll proves the patch, in the end without any tokens of olds: those are a means to save time and
// may never be why there is no patch.
func (b *builder) proveAll(h *header, bodies []io.ReadSeeker) error {
	replayed := false
	for _, o := range h.olds {
		replayed = replayed || o.tokens
	}
	if replayed {
		if err := b.prove(h, bodies); err == nil || !isFault(err) {
			return err
		}
		for i := range h.olds {
			h.olds[i].tokens = false
		}
	}
	return b.prove(h, bodies)
}

// prove reads the patch as a site does and compares what it makes: the blob if tokens of olds go into
// it or the recipe is not proven, otherwise the plain bytes.
func (b *builder) prove(h *header, bodies []io.ReadSeeker) error {
	parts := []io.Reader{bytes.NewReader(h.marshal())}
	for _, body := range bodies {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		parts = append(parts, body)
	}
	in := bufio.NewReader(io.MultiReader(parts...))
	read, err := readHeader(in)
	if err != nil {
		return err
	}
	if err := b.proveBody(in, read); err != nil {
		return err
	}
	for _, body := range bodies {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) proveBody(in io.Reader, h *header) error {
	var used []Old
	replayed := false
	for n, i := range b.used {
		used = append(used, b.olds[i].only(h.olds[n].tokens))
		replayed = replayed || h.olds[n].tokens
	}
	s, err := openStreams(in, h.streams, b.o.TempDir)
	if err != nil {
		return err
	}
	defer s.close()
	recipe, err := readRecipe(s.readers[streamRecipe])
	if err != nil {
		return err
	}
	if !bytes.Equal(recipe.Marshal(), b.recipe.Marshal()) {
		return errOther
	}
	sum := sha256.New()
	var w io.WriteCloser = nopCloser{b.meter.writer(proving, sum, b.plain.size)}
	want := b.plain.sum
	if replayed || !b.certain {
		w, want = recipe.NewWriter(b.meter.writer(proving, sum, b.size)), h.blobDigest
	}
	if err := restore(b.ctx, w, nil, s, newSource(used), b.plain.size, scratch{b.o.TempDir, h.scratch}); err != nil {
		return fmt.Errorf("prove patch: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("prove patch: %w", err)
	}
	if [sha256.Size]byte(sum.Sum(nil)) != want {
		return errOther
	}
	return nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
