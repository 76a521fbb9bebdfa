package recompress

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// deflated returns text as a stream of Go's with its check, which is what follows the header.
func deflated(t *testing.T, text []byte, check Check, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	header := 0
	switch check {
	case CheckAdler32:
		w, err = zlib.NewWriterLevel(&b, level)
		header = 2
	case CheckNone:
		w, err = flate.NewWriter(&b, level)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[header:]
}

// TestStreams finds recipes for streams inside of a file and makes the file again.
func TestStreams(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	text := make([]byte, 30_000)
	for i := range text {
		text[i] = "abcdefgh"[r.IntN(8)]
	}
	var file, plain bytes.Buffer
	recipe, s := &Recipe{}, &Streams{}
	for i, check := range []Check{CheckNone, CheckAdler32, CheckNone} {
		packed := deflated(t, text[i*1000:], check, 1+4*i)
		e, ok, err := s.Find(t.Context(), packed, text[i*1000:], check)
		if err != nil || !ok {
			t.Fatalf("no encoder for stream %d: %v", i, err)
		}
		recipe.Stored(5)
		recipe.Deflated(int64(len(text)-i*1000), e, check)
		file.WriteString("head:")
		file.Write(packed)
		plain.WriteString("head:")
		plain.Write(text[i*1000:])
	}
	parsed, err := Parse(recipe.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	w := parsed.NewWriter(&got)
	if _, err := plain.WriteTo(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), file.Bytes()) {
		t.Error("recipe made another file")
	}
}

// TestStreamsUnknown gives a stream up that no encoder makes, and after some all that are new.
func TestStreamsUnknown(t *testing.T) {
	s := &Streams{}
	stored := []byte{1, 3, 0, 0xfc, 0xff, 'a', 'b', 'c'}
	for range maxFailed + 1 {
		if _, ok, err := s.Find(t.Context(), append(stored, 0), []byte("abc"), CheckNone); ok || err != nil {
			t.Fatalf("found an encoder (%v) for bytes that none makes", err)
		}
	}
	if _, ok, _ := s.Find(t.Context(), deflated(t, []byte("abc"), CheckNone, 6), []byte("abc"), CheckNone); ok {
		t.Error("still searches after failing all the time")
	}
}

func TestInflate(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 100)
	packed := deflated(t, text, CheckNone, 6)
	var got bytes.Buffer
	in := bytes.NewReader(append(bytes.Clone(packed), "more"...))
	if n, err := Inflate(&got, in, 500); err != nil || n != 500 || !bytes.Equal(got.Bytes(), text) || in.Len() != 4 {
		t.Errorf("got %d bytes, %v, %d left", n, err, in.Len())
	}
	for want, in := range map[string][]byte{"truncated": packed[:len(packed)-3], "format": {7}} {
		if _, err := Inflate(io.Discard, bytes.NewReader(in), 500); reason(err) != want {
			t.Errorf("got %v, want reason %s", err, want)
		}
	}
	if _, err := Inflate(io.Discard, bytes.NewReader(packed), 499); reason(err) != "format" {
		t.Errorf("got %v for a stream beyond the limit", err)
	}
}

func reason(err error) string {
	var ours *Error
	if errors.As(err, &ours) {
		return ours.Reason()
	}
	return ""
}
