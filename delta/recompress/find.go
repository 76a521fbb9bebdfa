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
	same := &comparer{ctx: ctx, want: plain, end: plainSize}
	l, err := ExpandLayout(ctx, same, io.NewSectionReader(blob, 0, size), plainSize)
	if err != nil {
		return nil, err
	}
	if same.offset != plainSize {
		return nil, errMismatch
	}
	return l.Find(ctx, blob, plain)
}

type finder struct {
	ctx         context.Context
	blob, plain io.ReaderAt
	segments    []segment
	recipe      *Recipe
	last        encoder // that made the segment before
	differences int     // bytes of them so far
	enough      int64   // plain bytes of a segment that prove it; 0: all
	partly      bool    // a segment was longer
}

// prove finds the encoder of segment i, whose plain bytes begin at offset.
func (f *finder) prove(i int, offset int64) error {
	g := f.segments[i]
	switch g.kind {
	case kindVerbatim:
		f.recipe.verbatim(g.verbatim)
		return nil
	case kindStored:
		f.recipe.Stored(g.plainSize)
		return nil
	}
	if f.last.family != 0 {
		if ok, err := f.made(i, offset, f.last); ok || err != nil {
			return err
		}
	}
	candidates := f.zstdEncoders(g, offset)
	if g.kind == kindDeflate {
		candidates = deflateEncoders(f.hint(i))
	}
	for _, e := range candidates {
		if ok, err := f.made(i, offset, e); ok || err != nil {
			return err
		}
	}
	if g.kind != kindDeflate {
		return ErrNoRecipe
	}
	return f.byTokens(i, offset)
}

// made tells whether e made segment i, and notes it.
func (f *finder) made(i int, offset int64, e encoder) (bool, error) {
	g := f.segments[i]
	err := f.try(g, e, offset)
	if errors.Is(err, errMismatch) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f.recipe.encoded(g.kind, g.plainSize, e)
	if e.family != familyTokens {
		f.last = e
	}
	return true, nil
}

// hint returns what segment i and the header before it show.
func (f *finder) hint(i int) hint {
	g := f.segments[i]
	h := hint{os: osUnknown}
	h.probe(io.NewSectionReader(f.blob, g.offset, g.size), g.plainSize)
	if i > 0 && len(f.segments[i-1].verbatim) >= minGzipHeader {
		header := f.segments[i-1].verbatim
		h.xfl, h.os = header[8], header[9]
	}
	return h
}

// try encodes g's plain bytes and compares as it goes: a wrong encoder differs within its first
// block, so that it costs next to nothing.
func (f *finder) try(g segment, e encoder, offset int64) error {
	same := &comparer{ctx: f.ctx, want: f.blob, offset: g.offset, end: g.offset + g.size}
	one := &Recipe{}
	one.encoded(g.kind, g.plainSize, e)
	w := one.NewWriter(same)
	n := g.plainSize
	if _, ok := e.libzstd(); !ok && f.enough > 0 { // the C library's versions and layouts differ late, and are fast
		n = min(n, f.enough)
	}
	if _, err := io.CopyBuffer(w, io.NewSectionReader(f.plain, offset, n), make([]byte, 64<<10)); err != nil {
		return err
	}
	if n < g.plainSize {
		f.partly = true
		return nil
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
