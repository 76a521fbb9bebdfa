package recompress

import (
	"context"
	"io"
)

// Layout says where a blob's streams stand. Who expands a blob to find its recipe need not look at it twice.
type Layout struct {
	segments  []segment
	plainSize int64
}

// PlainSize returns the bytes that the blob expands to.
func (l *Layout) PlainSize() int64 { return l.plainSize }

// ExpandLayout is Expand, and tells the blob's layout.
func ExpandLayout(ctx context.Context, w io.Writer, blob io.Reader, limit int64) (*Layout, error) {
	l := &Layout{}
	out := &limited{ctx: ctx, w: w, left: limit}
	err := scan(blob, out, func(g segment) error {
		l.segments = append(l.segments, g)
		return nil
	})
	l.plainSize = limit - out.left
	return l, err
}

// likelySize is how many plain bytes of a stream tell what made it.
const likelySize = 4 << 20

// Find returns the recipe with which plain, what the blob was expanded to, becomes the blob again,
// proven over every byte. The error is ErrNoRecipe if there is none.
func (l *Layout) Find(ctx context.Context, blob, plain io.ReaderAt) (*Recipe, error) {
	r, _, err := l.find(&finder{ctx: ctx, blob: blob, plain: plain})
	return r, err
}

// Likely is Find, but proves no more than the first 4 MiB of each stream; proven tells whether that was
// everything. Who makes the blob with the recipe anyway proves the rest so.
func (l *Layout) Likely(ctx context.Context, blob, plain io.ReaderAt) (r *Recipe, proven bool, err error) {
	return l.find(&finder{ctx: ctx, blob: blob, plain: plain, enough: likelySize})
}

func (l *Layout) find(f *finder) (*Recipe, bool, error) {
	f.segments, f.recipe = l.segments, &Recipe{}
	var offset int64
	for i, g := range f.segments {
		if err := f.prove(i, offset); err != nil {
			return nil, false, err
		}
		offset += g.plainSize
	}
	return f.recipe, !f.partly, nil
}
