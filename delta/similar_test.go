package delta

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomText makes n bytes of words that no other seed makes.
func randomText(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 77))
	var b []byte
	for len(b) < n {
		for range 3 + r.IntN(9) {
			b = append(b, 'a'+byte(r.IntN(26)))
		}
		b = append(b, " \n"[r.IntN(2)])
	}
	return b[:n]
}

// images are the files of an image, from which layers are made in different ways.
func imageFiles(n int) []file {
	var files []file
	for i := range n {
		body := randomText(uint64(i), 3000+500*i)
		if i%3 == 0 {
			body = randomBinary(rand.New(rand.NewPCG(uint64(i), 3)), 20_000)
		}
		files = append(files, file{tar.Header{Name: fmt.Sprintf("usr/share/app-1.%d/part%d", i%4, i), Mode: 0o644}, body})
	}
	return files
}

// patchTo round-trips a tar of files against layers and returns the patch's size.
func patchTo(t *testing.T, files []file, layers ...[]file) int {
	t.Helper()
	var olds []Old
	for _, l := range layers {
		olds = append(olds, old(makeTar(t, l)))
	}
	return len(roundTrip(t, gzipped(t, makeTar(t, files)), olds...))
}

func TestRelayered(t *testing.T) {
	files := imageFiles(24)
	t.Run("merged", func(t *testing.T) {
		if n := patchTo(t, files, files[:9], files[9:17], files[17:]); n > 900 {
			t.Errorf("patch of %d bytes", n)
		}
	})
	t.Run("split", func(t *testing.T) {
		for _, part := range [][]file{files[:10], files[10:]} {
			if n := patchTo(t, part, files); n > 900 {
				t.Errorf("patch of %d bytes", n)
			}
		}
	})
	t.Run("based on another", func(t *testing.T) {
		base := imageFiles(40)[24:]
		if n := patchTo(t, append(slices.Clone(base), files...), files, base); n > 900 {
			t.Errorf("patch of %d bytes", n)
		}
	})
}

// TestRenamed moves files to other folders and changes a little in each.
func TestRenamed(t *testing.T) {
	files := imageFiles(12)
	for _, name := range []string{"opt/%d/other", "usr/share/app-2.0/part%d", "x%[1]dy%[1]dz"} {
		moved := slices.Clone(files)
		r := rand.New(rand.NewPCG(2, 2))
		for i := range moved {
			moved[i].header.Name = fmt.Sprintf(name, i)
			moved[i].body = edit(r, moved[i].body, 2)
		}
		if n := patchTo(t, moved, files); n > 5500 {
			t.Errorf("%s: patch of %d bytes", name, n)
		}
	}
}

// TestJoined makes one file out of several, and several out of one.
func TestJoined(t *testing.T) {
	var parts []file
	var whole []byte
	for i := range 8 {
		body := randomText(uint64(100+i), 20_000)
		parts = append(parts, file{tar.Header{Name: fmt.Sprintf("src/%c.js", 'a'+i), Mode: 0o644}, body})
		whole = append(append(whole, fmt.Sprintf("// module %d\n", i)...), body...)
	}
	bundle := []file{{tar.Header{Name: "dist/all.js", Mode: 0o644}, whole}}
	if n := patchTo(t, bundle, parts[:3], parts[3:]); n > 700 {
		t.Errorf("joined: patch of %d bytes", n)
	}
	if n := patchTo(t, parts, bundle); n > 900 {
		t.Errorf("split: patch of %d bytes", n)
	}
}

// TestReplaced finds a file's old content elsewhere, although its path holds another now.
func TestReplaced(t *testing.T) {
	a, b := randomText(1, 30_000), randomText(2, 30_000)
	before := []file{{tar.Header{Name: "etc/x.conf"}, a}, {tar.Header{Name: "etc/y.conf"}, b}}
	after := []file{{tar.Header{Name: "etc/x.conf"}, append([]byte("new "), b...)}, {tar.Header{Name: "etc/y.conf"}, append([]byte("new "), a...)}}
	if n := patchTo(t, after, before); n > 600 {
		t.Errorf("patch of %d bytes", n)
	}
}

// TestBlobsThatAreNoTars find each other, too.
func TestBlobsThatAreNoTars(t *testing.T) {
	blob := randomText(5, 90_000)
	olds := []Old{old(makeTar(t, imageFiles(5))), old(randomText(6, 50_000)), old(append([]byte("head"), blob...))}
	if n := len(roundTrip(t, gzipped(t, append(bytes.Clone(blob), "tail"...)), olds...)); n > 400 {
		t.Errorf("patch of %d bytes", n)
	}
}

// TestSimilarityOfZeros takes no time and finds nothing where all bytes are alike.
func TestSimilarityOfZeros(t *testing.T) {
	zeros := []file{{tar.Header{Name: "a"}, make([]byte, 3<<20)}, {tar.Header{Name: "b"}, bytes.Repeat([]byte("ab"), 1<<20)}}
	after := []file{{tar.Header{Name: "c"}, append(make([]byte, 1<<20), 1)}, {tar.Header{Name: "d"}, bytes.Repeat([]byte("ba"), 1<<19)}}
	if n := patchTo(t, after, zeros); n > 600 {
		t.Errorf("patch of %d bytes", n)
	}
}

// TestSimilarityOfManyFiles gives fewer fingerprints to each of very many contents, however small they are.
func TestSimilarityOfManyFiles(t *testing.T) {
	c := &catalogue{members: make([]oldMember, 400_000), byContent: make(map[contentID][]int, 400_000)}
	numbers := make([]int, len(c.members))
	for i := range c.members {
		c.members[i].id.sum, numbers[i] = uint64(i), i
		c.byContent[c.members[i].id] = numbers[i : i+1]
	}
	for _, size := range []int64{leastSimilar, 700, 5000, 90_000} {
		for i := range c.members {
			c.members[i].end = size
		}
		s := &similarity{}
		s.cutAll(c)
		prints := int64(0)
		for _, b := range s.blocks {
			prints += b.size >> b.rare
		}
		if len(s.blocks) != len(c.members) || prints > maxPrints || prints < maxPrints/4 {
			t.Errorf("%d contents of %d bytes have %d fingerprints", len(s.blocks), size, prints)
		}
	}
}
