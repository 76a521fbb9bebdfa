package recompress

import (
	"errors"
	"hash"
	"io"

	"github.com/sallyport-dev/sallyport/delta/recompress/replay"
)

// Writer makes the blob out of plain bytes.
type Writer struct {
	w     io.Writer
	r     *Recipe
	parts []part
	open  io.WriteCloser // of the part that is being written; nil: none
	left  int64          // plain bytes that this part still takes
	sum   hash.Hash32    // of this part's plain bytes; nil: none

	replay *replay.Player // of this part; nil: its encoder takes nothing over
}

// NewWriter returns a writer that takes the plain bytes and writes the blob to w. Close must be
// called after the last plain byte.
func (r *Recipe) NewWriter(w io.Writer) *Writer { return &Writer{w: w, r: r, parts: r.parts} }

// Write takes the next plain bytes.
func (w *Writer) Write(p []byte) (int, error) {
	taken := 0
	for taken < len(p) {
		if err := w.advance(); err != nil {
			return taken, err
		}
		if len(w.parts) == 0 {
			return taken, malformed("recipe takes fewer plain bytes than there are")
		}
		next := p[taken:]
		if int64(len(next)) > w.left {
			next = next[:w.left]
		}
		if _, err := w.open.Write(next); err != nil {
			return taken, err
		}
		if w.sum != nil {
			w.sum.Write(next)
		}
		w.left -= int64(len(next))
		taken += len(next)
	}
	return taken, nil
}

// Close ends the blob. It does not close the writer below.
func (w *Writer) Close() error {
	if err := w.advance(); err != nil {
		return err
	}
	if w.open != nil {
		return malformed("recipe takes more plain bytes than there are")
	}
	return nil
}

// advance ends the parts that have all their plain bytes and opens the next.
func (w *Writer) advance() error {
	for w.left == 0 {
		if w.open != nil {
			if err := w.end(); err != nil {
				return err
			}
		}
		if len(w.parts) == 0 {
			return nil
		}
		if err := w.begin(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) begin() (err error) {
	p := w.parts[0]
	w.left, w.sum = p.plainSize, newSum(p.kind)
	switch p.kind {
	case kindVerbatim:
		_, err = w.w.Write(w.r.verbatims[p.index])
		w.open = nothing{}
	case kindStored:
		w.open = stored{w.w}
	default:
		e := w.r.encoders[p.index]
		if w.open, err = e.newWriter(w.w, p.plainSize); err == nil {
			w.replay = e.player(w.open)
		}
	}
	return err
}

func (w *Writer) end() error {
	err := w.open.Close()
	p := w.parts[0]
	w.open, w.replay, w.parts = nil, nil, w.parts[1:]
	if err != nil {
		return err
	}
	_, err = w.w.Write(trailer(p.kind, w.sum, p.plainSize))
	return err
}

type stored struct{ io.Writer }

func (stored) Close() error { return nil }

type nothing struct{}

func (nothing) Write(p []byte) (int, error) {
	return 0, errors.New("recompress: bytes for a part without any")
}
func (nothing) Close() error { return nil }
