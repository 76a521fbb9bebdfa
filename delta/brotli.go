package delta

import (
	"bytes"
	"errors"
	"io"
	"math/bits"

	"github.com/andybalholm/brotli"
)

// Brotli (RFC 7932) codes streams nearly as short as mixing them does and gives them back a hundred
// times as fast; making it takes as long.

// maxBrotliBits is the largest window that a Brotli stream may have, as a power of two of bytes.
const maxBrotliBits = 22

// packBrotli returns b as a Brotli stream.
func packBrotli(b []byte) ([]byte, error) {
	var packed bytes.Buffer
	window := min(max(bits.Len(uint(len(b))), 16), maxBrotliBits)
	w := brotli.NewWriterOptions(&packed, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: window})
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// brotliReader reads a Brotli stream that reaches to its source's end.
type brotliReader struct {
	source *boundedWindow
	r      *brotli.Reader
}

func newBrotliReader(body io.Reader) *brotliReader {
	source := &boundedWindow{r: body}
	return &brotliReader{source: source, r: brotli.NewReader(source)}
}

// Read gives the next bytes. Its errors are the patch's, or those of reading it.
func (b *brotliReader) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		switch {
		case err == nil && n == 0 && len(p) > 0: // it may have read its end: it says so next time
			continue
		case err == nil || errors.Is(err, io.EOF) || b.source.err != nil:
			return n, err
		case errors.Is(err, io.ErrUnexpectedEOF):
			return n, readError(err)
		}
		return n, malformed("%v", err)
	}
}

// boundedWindow refuses a Brotli stream with too large a window: its decoder has memory for any.
type boundedWindow struct {
	r     io.Reader
	begun bool
	err   error // of reading, or of the window
}

func (w *boundedWindow) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 && !w.begun {
		w.begun = true
		if size := p[0] & 15; size&1 == 1 && size > 11 { // RFC 7932, 9.1: 13 and 15 stand for 2^23 and 2^24
			err = malformed("window of a stream is too large")
			n = 0
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
