package tokens

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

// limited fails once it has been given more bytes than a blob of the fuzzed size may have.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errDifferences
	}
	return len(p), nil
}

// FuzzWriter feeds any differences: the writer makes a stream or an error of them.
func FuzzWriter(f *testing.F) {
	plain := sample(3000, 5)
	for model := range Models() {
		d, _, err := Encode(bytes.NewReader(deflate(f, plain, 1+model%9)), bytes.NewReader(plain), int64(len(plain)), model, 1<<20, 1<<40)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(d, plain, byte(model))
	}
	f.Fuzz(func(t *testing.T, differences, plain []byte, model byte) {
		if len(plain) > 1<<13 {
			return
		}
		w, err := NewWriter(&limited{1 << 18}, differences, int(model), int64(len(plain)))
		if err != nil {
			return
		}
		if _, err := w.Write(plain); err == nil {
			_ = w.Close()
		}
	})
}

// FuzzEncode feeds any stream: what Encode takes comes back, but for what follows the stream.
func FuzzEncode(f *testing.F) {
	for level := range 10 {
		f.Add(deflate(f, sample(2000, 6), level, 500, 500))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), 1<<13))
		if err != nil || len(plain) == 1<<13 {
			return
		}
		d, read, err := Encode(bytes.NewReader(packed), bytes.NewReader(plain), int64(len(plain)), 3, 1<<20, 1<<40)
		if err != nil {
			return
		}
		got, err := restore(plain, d, 3)
		if err != nil {
			t.Fatal(err)
		}
		if read > int64(len(packed)) || len(got) == 0 || !bytes.Equal(got[:len(got)-1], packed[:len(got)-1]) {
			t.Fatal("another stream")
		}
	})
}
