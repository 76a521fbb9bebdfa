package delta

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"
)

// lying is an old one of whose reads gives other bytes.
type lying struct {
	io.ReaderAt
	reads, lie int // how many there were, and which one lies
}

func (l *lying) ReadAt(p []byte, at int64) (int, error) {
	n, err := l.ReaderAt.ReadAt(p, at)
	if l.reads++; l.reads == l.lie {
		for i := range p[:n] {
			p[i] ^= 0x55
		}
	}
	return n, err
}

// TestDiffFallsBack makes a plainer patch where the first one does not make the blob.
func TestDiffFallsBack(t *testing.T) {
	text := prose(2000, 0)
	before := oneFile(t, "usr/share/man/page.1.gz", gzipWith(t, text, 6))
	blob := gzipped(t, oneFile(t, "usr/share/man/page.1.gz", gzipWith(t, edit(rand.New(rand.NewPCG(1, 2)), text, 3), 6)))
	diff := func(lie int) (*lying, Result, []byte) {
		l := &lying{ReaderAt: bytes.NewReader(before), lie: lie}
		var patch bytes.Buffer
		res, err := Diff(t.Context(), &patch, bytes.NewReader(blob), int64(len(blob)),
			[]Old{{ReaderAt: l, Size: int64(len(before))}}, Options{Workers: 1, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return l, res, patch.Bytes()
	}
	honest, want, _ := diff(0)
	if want.Failed != nil {
		t.Fatalf("the patch failed without a fault: %v", want.Failed)
	}
	_, got, patch := diff(honest.reads) // the last read belongs to the proof
	if got.Failed == nil {
		t.Fatal("no patch has failed")
	}
	if got.Size <= want.Size {
		t.Errorf("the plain patch has %d bytes, the one that failed %d", got.Size, want.Size)
	}
	var out bytes.Buffer
	if err := Apply(t.Context(), &out, bytes.NewReader(patch), []Old{old(before)}, Limits{Size: int64(len(blob)), TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), blob) {
		t.Error("the plain patch makes another blob")
	}
}

// TestDiffFindsOtherRecipe makes a blob that begins like one encoder's and goes on like no encoder's.
func TestDiffFindsOtherRecipe(t *testing.T) {
	plain := makeTar(t, []file{{tar.Header{Name: "text"}, randomText(9, 5<<20)}})
	var blob bytes.Buffer
	w, err := gzip.NewWriterLevel(&blob, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range [][]byte{plain[:9<<19], plain[9<<19:]} {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(roundTrip(t, blob.Bytes(), old(plain))); n > 100_000 {
		t.Errorf("patch of %d bytes", n)
	}
}
