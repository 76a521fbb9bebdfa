package delta

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// old returns plain bytes as an Old.
func old(plain []byte) Old { return Old{ReaderAt: bytes.NewReader(plain), Size: int64(len(plain))} }

func gzipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// roundTrip makes a patch for blob against olds and applies it.
func roundTrip(t testing.TB, blob []byte, olds ...Old) []byte {
	t.Helper()
	var patch, got bytes.Buffer
	result, err := Diff(t.Context(), &patch, bytes.NewReader(blob), int64(len(blob)), olds, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatalf("Diff: %v", err)
	}
	if result.Size != int64(patch.Len()) {
		t.Errorf("Diff told %d bytes and wrote %d", result.Size, patch.Len())
	}
	var used []Old
	for _, i := range result.Used {
		used = append(used, olds[i])
	}
	made := bytes.Clone(patch.Bytes())
	if err := Apply(t.Context(), &got, &patch, used, Limits{Size: int64(len(blob)), TempDir: t.TempDir()}); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if !bytes.Equal(got.Bytes(), blob) {
		t.Fatal("Apply made another blob")
	}
	return made
}

// randomBinary makes n bytes that look a little like a program: repeated records with addresses.
func randomBinary(r *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+64)
	for len(b) < n {
		if len(b) > 100 && r.IntN(3) > 0 {
			from := r.IntN(len(b) - 50)
			b = append(b, b[from:from+8+r.IntN(40)]...)
		}
		for range r.IntN(12) {
			b = append(b, byte(r.Uint32()))
		}
	}
	return b[:n]
}

// edit changes b at random places: single bytes, insertions, deletions, moves.
func edit(r *rand.Rand, b []byte, times int) []byte {
	b = bytes.Clone(b)
	for range times {
		if len(b) < 10 {
			return append(b, randomBinary(r, 20)...)
		}
		at, n := r.IntN(len(b)), r.IntN(200)
		end := min(at+n, len(b))
		switch r.IntN(5) {
		case 0, 1:
			b[at] += byte(1 + r.IntN(255))
		case 2:
			b = append(b[:at:at], append(randomBinary(r, n), b[at:]...)...)
		case 3:
			b = append(b[:at:at], b[end:]...)
		case 4:
			moved := bytes.Clone(b[at:end])
			b = append(b[:at:at], b[end:]...)
			to := r.IntN(len(b) + 1)
			b = append(b[:to:to], append(moved, b[to:]...)...)
		}
	}
	return b
}

func TestRandomEditsOfBytes(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			before := randomBinary(r, r.IntN(60_000))
			after := edit(r, before, r.IntN(30))
			blob := after
			if seed%2 == 0 {
				blob = gzipped(t, after)
			}
			roundTrip(t, blob, old(before))
		})
	}
}

// file is one entry of a tar that the tests make.
type file struct {
	header tar.Header
	body   []byte
}

func makeTar(t testing.TB, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		f.header.Size = int64(len(f.body))
		if err := w.WriteHeader(&f.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func randomFiles(r *rand.Rand, n int) []file {
	files := make([]file, n)
	for i := range files {
		name := fmt.Sprintf("usr/lib/pkg-1.%d/dir%d/file%d", r.IntN(3), r.IntN(4), i)
		if r.IntN(10) == 0 {
			name += string(bytes.Repeat([]byte("long"), 40+r.IntN(30)))
		}
		h := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: time.Unix(1.7e9+int64(r.IntN(5)), 0)}
		f := file{header: h}
		switch r.IntN(8) {
		case 0:
			f.header.Typeflag, f.header.Linkname = tar.TypeSymlink, "../target"
		case 1:
			f.header.Typeflag, f.header.Devmajor = tar.TypeChar, 5
		case 2:
			f.header.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "caf\xe9"}
			f.header.Format = tar.FormatPAX
			f.body = randomBinary(r, r.IntN(3000))
		case 3:
			f.header.Format = tar.FormatGNU
			f.body = randomBinary(r, r.IntN(3000))
		default:
			f.body = randomBinary(r, r.IntN(9000))
		}
		files[i] = f
	}
	return files
}

// editFiles changes a tar's files at random: contents, times, names, order, presence.
func editFiles(r *rand.Rand, files []file) []file {
	files = append([]file(nil), files...)
	for range r.IntN(12) {
		i, j := r.IntN(len(files)), r.IntN(len(files))
		switch r.IntN(6) {
		case 0:
			if len(files[i].body) > 0 {
				files[i].body = edit(r, files[i].body, 3)
			}
		case 1:
			files[i].header.ModTime = files[i].header.ModTime.Add(time.Hour)
		case 2:
			files[i].header.Name = "renamed/" + files[i].header.Name
		case 3:
			files[i], files[j] = files[j], files[i]
		case 4:
			files = append(files[:i:i], files[i+1:]...)
		case 5:
			files = append(files, randomFiles(r, 1)...)
		}
		if len(files) < 2 {
			break
		}
	}
	return files
}

func TestRandomEditsOfTars(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			first, second := randomFiles(r, 3+r.IntN(40)), randomFiles(r, 3+r.IntN(10))
			olds := []Old{old(makeTar(t, first)), old(makeTar(t, second)), old(randomBinary(r, 5000))}
			after := makeTar(t, editFiles(r, append(editFiles(r, first), second...)))
			if r.IntN(4) == 0 {
				after = edit(r, after, 2) // a tar with damage
			}
			roundTrip(t, gzipped(t, after), olds...)
		})
	}
}

func TestUnchangedFilesCostNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	files := randomFiles(r, 2000)
	before := makeTar(t, files)
	files[1000].body = []byte("one line more\n")
	files[1000].header.Typeflag = tar.TypeReg
	if patch := roundTrip(t, makeTar(t, files), old(before)); len(patch) > 1000 {
		t.Errorf("one changed file of 2000 costs %d bytes", len(patch))
	}
}

func TestShiftedTimesCostNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	files := randomFiles(r, 2000)
	before := makeTar(t, files)
	for i := range files {
		files[i].header.ModTime = files[i].header.ModTime.Add(14 * 24 * time.Hour)
	}
	if patch := roundTrip(t, makeTar(t, files), old(before)); len(patch) > 1000 {
		t.Errorf("2000 shifted times cost %d bytes", len(patch))
	}
}

// TestMovedFiles finds files that went to another layer, or to the folder of another version.
func TestMovedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	body := randomBinary(r, 200_000)
	entry := func(name string, body []byte) file {
		return file{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, body}
	}
	first := makeTar(t, []file{entry("etc/x", randomBinary(r, 50))})
	second := makeTar(t, []file{entry("usr/lib/foo-1.2.3/data", body), entry("usr/bin/same", body[:70_000])})
	after := makeTar(t, []file{entry("opt/elsewhere", body[:70_000]), entry("usr/lib/foo-1.3/data", edit(r, body, 5))})
	if patch := roundTrip(t, after, old(first), old(second)); len(patch) > 3000 {
		t.Errorf("moved files cost %d bytes", len(patch))
	}
}

func TestRecompressedWithoutOlds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for _, plain := range [][]byte{nil, {1}, randomBinary(r, 100_000), makeTar(t, randomFiles(r, 50))} {
		roundTrip(t, plain)
		roundTrip(t, gzipped(t, plain))
	}
}

func TestNoRecipe(t *testing.T) {
	// A stream that no encoder writes: two stored blocks, ones before the length of the first.
	blob := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, 0xf8, 1, 0, 0xfe, 0xff, 'a', 1, 1, 0, 0xfe, 0xff, 'b')
	blob = append(blob, 0x6d, 0x48, 0x83, 0x9e, 2, 0, 0, 0)
	var out bytes.Buffer
	if _, err := Expand(t.Context(), &out, bytes.NewReader(blob), 100); err != nil || out.String() != "ab" {
		t.Fatalf("Expand gave %q, %v", out.String(), err)
	}
	_, err := Diff(t.Context(), io.Discard, bytes.NewReader(blob), int64(len(blob)), nil, Options{})
	if !errors.Is(err, ErrNoRecipe) {
		t.Errorf("got %v, want ErrNoRecipe", err)
	}
}

func TestReproducible(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	files := randomFiles(r, 300)
	before, after := makeTar(t, files), makeTar(t, editFiles(r, editFiles(r, files)))
	first := roundTrip(t, after, old(before))
	for range 5 {
		if !bytes.Equal(roundTrip(t, after, old(before)), first) {
			t.Fatal("the same inputs gave two patches")
		}
	}
}
