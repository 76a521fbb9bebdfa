package gunzip_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/gunzip"
)

func member(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// opencontainers/umoci#358: some builders pad layers with zeros; stargz writes many members.
func TestReader(t *testing.T) {
	whole := member(t, "hello")
	for name, c := range map[string]struct {
		in, out string
		err     error
	}{
		"plain":            {whole, "hello", nil},
		"empty":            {member(t, ""), "", nil},
		"zeros":            {whole + string(make([]byte, 512)), "hello", nil},
		"one zero":         {whole + "\x00", "hello", nil},
		"members":          {whole + member(t, "") + member(t, " world"), "hello world", nil},
		"members, zeros":   {whole + whole + string(make([]byte, 100_000)), "hellohello", nil},
		"garbage":          {whole + "more", "hello", gunzip.ErrGarbage},
		"zeros, garbage":   {whole + "\x00\x00x", "hello", gunzip.ErrGarbage},
		"cut":              {whole[:len(whole)-3], "hello", io.ErrUnexpectedEOF},
		"second is cut":    {whole + whole[:5], "hello", io.ErrUnexpectedEOF},
		"damaged checksum": {whole[:len(whole)-8] + "\x00\x00\x00\x00" + whole[len(whole)-4:], "hello", gzip.ErrChecksum},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := gunzip.NewReader(bytes.NewReader([]byte(c.in)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if string(got) != c.out || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, c.out, c.err)
			}
		})
	}
	if _, err := gunzip.NewReader(bytes.NewReader([]byte("this is no gzip file"))); !errors.Is(err, gzip.ErrHeader) {
		t.Errorf("got %v", err)
	}
}
