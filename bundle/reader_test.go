package bundle_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// A stick that is pulled is not a bundle that is damaged: wherever the medium fails, its own error comes out.
func TestMediumErrorsPassThrough(t *testing.T) {
	file := bundletest.Minimal().Bytes(t, bundle.PredicateSignature)
	pulled := errors.New("input/output error")
	for n := 0; n <= len(file); n += 97 {
		_, _, err := readAll(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(pulled)))
		var e *bundle.Error
		if !errors.Is(err, pulled) || errors.As(err, &e) {
			t.Errorf("after %d bytes: got %v, want the medium's own error", n, err)
		}
	}
	// One that fails in this way is a failing medium too, and not a short file.
	_, _, err := readAll(io.MultiReader(bytes.NewReader(file[:900]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !errors.Is(err, io.ErrUnexpectedEOF) || reasonOf(err) == "truncated" {
		t.Errorf("got %v, want the medium's own error", err)
	}
}

func TestNextChecksWhatWasNotRead(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	f := forge(t, file)
	r, err := bundle.NewReader(bytes.NewReader(flip(file, f.offset(inConfig)+512+3)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err = r.Next()
	wantReason(t, err, "digest", "is damaged")
	_, again := r.Next()
	if !errors.Is(again, err) {
		t.Errorf("after a fault Next gives %v, not the same fault", again)
	}
}

// Who reads exactly the size of a blob must not go away with bytes that are wrong.
func TestLastBytesAreHeldBack(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	r, err := bundle.NewReader(bytes.NewReader(flip(file, forge(t, file).offset(inImage)+512)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadFull(e, make([]byte, e.Desc.Size))
	wantReason(t, err, "digest", "is damaged")
}

func TestEntryEndsWithItsTurn(t *testing.T) {
	r, err := bundle.NewReader(bytes.NewReader(bundletest.Minimal().Bytes(t)))
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("an old entry gives %v", err)
	}
}

// No piece of the payload is read before it is asked for.
func TestFrontIsAllThatNewReaderReads(t *testing.T) {
	release := bundletest.Minimal()
	release.Images[0].Layers[0].Bytes = bytes.Repeat([]byte("layer"), 1<<20)
	file := release.Bytes(t)
	src := &countingReader{r: bytes.NewReader(file)}
	if _, err := bundle.NewReader(src); err != nil {
		t.Fatal(err)
	}
	if src.n > 128<<10 {
		t.Errorf("the front of a bundle of %d bytes took %d bytes", len(file), src.n)
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestCompressedBundleSaysSo(t *testing.T) {
	_, err := bundle.NewReader(strings.NewReader("\x1f\x8b" + strings.Repeat("x", 1000)))
	wantReason(t, err, "format", "compressed with gzip")
	var e *bundle.Error
	if errors.As(err, &e) && e.Hint() == "" {
		t.Error("no hint what to do")
	}
}

// Names in a hostile file must not reach a terminal as they are.
func TestMessagesQuoteHostileNames(t *testing.T) {
	f := forge(t, bundletest.Minimal().Bytes(t))
	f.entries = append(f.entries, entry{"\x1b[2Jblobs", nil})
	_, _, err := readAll(bytes.NewReader(f.bytes()))
	if err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("the message carries an escape: %q", err)
	}
}
