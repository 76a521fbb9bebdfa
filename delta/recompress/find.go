package recompress

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Find returns the recipe with which plain, blob's expanded form of plainSize bytes, becomes blob
// again, proven over every byte. The error is ErrNoRecipe if there is none.
func Find(ctx context.Context, blob io.ReaderAt, size int64, plain io.ReaderAt, plainSize int64) (*Recipe, error) {
	f := &finder{ctx: ctx, blob: blob, plain: plain, recipe: &Recipe{}}
	same := &comparer{ctx: ctx, want: plain, end: plainSize}
	if err := scan(io.NewSectionReader(blob, 0, size), same, f.note); err != nil {
		return nil, err
	}
	if same.offset != plainSize {
		return nil, errMismatch
	}
	var offset int64
	for i, g := range f.segments {
		if err := f.prove(i, offset); err != nil {
			return nil, err
		}
		offset += g.plainSize
	}
	return f.recipe, nil
}

type finder struct {
	ctx         context.Context
	blob, plain io.ReaderAt
	segments    []segment
	recipe      *Recipe
	last        encoder // that made the segment before
}

func (f *finder) note(g segment) error {
	f.segments = append(f.segments, g)
	f.recipe.parts = append(f.recipe.parts, part{kind: g.kind, plainSize: g.plainSize, verbatim: g.verbatim})
	return nil
}

// prove finds the encoder of segment i, whose plain bytes begin at offset.
func (f *finder) prove(i int, offset int64) error {
	g := f.segments[i]
	var candidates []encoder
	switch g.kind {
	case kindDeflate:
		candidates = deflateEncoders()
	case kindZstd:
		candidates = zstdEncoders()
	default:
		return nil
	}
	if f.last.family != 0 {
		candidates = append([]encoder{f.last}, candidates...)
	}
	for _, e := range candidates {
		p := part{kind: g.kind, plainSize: g.plainSize, encoder: e}
		err := f.try(g, p, offset)
		if err == nil {
			f.recipe.parts[i], f.last = p, e
			return nil
		}
		if !errors.Is(err, errMismatch) {
			return err
		}
	}
	return ErrNoRecipe
}

// try encodes g's plain bytes and compares as it goes: a wrong encoder differs within its first
// block, so that it costs next to nothing.
func (f *finder) try(g segment, p part, offset int64) error {
	same := &comparer{ctx: f.ctx, want: f.blob, offset: g.offset, end: g.offset + g.size}
	w := (&Recipe{parts: []part{p}}).NewWriter(same)
	plain := io.NewSectionReader(f.plain, offset, g.plainSize)
	if _, err := io.CopyBuffer(w, plain, make([]byte, 64<<10)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if same.offset != same.end {
		return errMismatch
	}
	return nil
}

// errMismatch says that bytes differ from the wanted ones.
var errMismatch = errors.New("bytes differ")

// comparer fails at the first byte that differs from what stands in want.
type comparer struct {
	ctx         context.Context
	want        io.ReaderAt
	offset, end int64
	buf         []byte
}

func (c *comparer) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if int64(len(p)) > c.end-c.offset {
		return 0, errMismatch
	}
	if len(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	n, err := c.want.ReadAt(c.buf[:len(p)], c.offset)
	if n < len(p) {
		return 0, readError("blob", err)
	}
	if !bytes.Equal(c.buf[:n], p) {
		return 0, errMismatch
	}
	c.offset += int64(n)
	return n, nil
}
