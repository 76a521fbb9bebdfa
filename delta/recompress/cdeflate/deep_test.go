package cdeflate

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// mixed makes n bytes of which some repeat near, some far, some often, and some share hashes only.
func mixed(n int, r *rand.Rand) []byte {
	b := make([]byte, 0, n+2000)
	for len(b) < n {
		switch r.IntN(5) {
		case 0:
			b = append(b, bytes.Repeat([]byte{byte(r.IntN(3))}, r.IntN(600))...)
		case 1:
			for range r.IntN(200) {
				b = append(b, byte(r.Uint32()))
			}
		case 2:
			for range r.IntN(200) {
				b = append(b, byte(r.IntN(2)*32))
			}
		default:
			if len(b) > 0 {
				from := max(0, len(b)-1-r.IntN(40_000))
				b = append(b, b[from:min(len(b), from+r.IntN(300))]...)
			}
			b = append(b, byte(r.Uint32()))
		}
	}
	return b[:n]
}

// TestDeep holds the search by four bytes to the one by three.
func TestDeep(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 12 {
		plain := mixed(r.IntN(300_000), r)
		step := 1 + r.IntN(100_000)
		for level := 6; level <= 9; level++ {
			for _, flavor := range []Flavor{Zlib, GNU} {
				packed := func(deep bool) []byte {
					var b bytes.Buffer
					w, err := NewWriter(&b, flavor, level)
					if err != nil {
						t.Fatal(err)
					}
					return packWith(t, &b, w, w.d, deep, plain, step)
				}
				if !bytes.Equal(packed(true), packed(false)) {
					t.Fatalf("flavor %d, level %d, %d bytes: differs", flavor, level, len(plain))
				}
			}
			packed := func(deep bool) []byte {
				var b bytes.Buffer
				w, err := NewPigzWriter(&b, level, 0)
				if err != nil {
					t.Fatal(err)
				}
				return packWith(t, &b, w, w.d, deep, plain, step)
			}
			if !bytes.Equal(packed(true), packed(false)) {
				t.Fatalf("pigz, level %d, %d bytes: differs", level, len(plain))
			}
		}
	}
}

func packWith(t *testing.T, b *bytes.Buffer, w interface {
	Write([]byte) (int, error)
	Close() error
}, d *deflater, deep bool, plain []byte, step int) []byte {
	t.Helper()
	if d.deep == nil {
		t.Fatal("does not look deep")
	}
	if !deep {
		d.deep = nil
	}
	if deep {
		d.base = 1<<31 - 4*windowSize // where it begins anew
	}
	for at := 0; at < len(plain); at += step {
		if _, err := w.Write(plain[at:min(at+step, len(plain))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
