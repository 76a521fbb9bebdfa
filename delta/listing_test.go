package delta

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// packageFiles are a package's files and the listing of their digests.
func packageFiles(seed uint64, n int) (files []file, listing file) {
	var b []byte
	for i := range n {
		body := fmt.Appendf(randomText(uint64(i), 600), "%d", seed)
		name := fmt.Sprintf("usr/lib/%s/part%d", strings.Repeat("deep/", i%30), i)
		files = append(files, file{tar.Header{Name: "./" + name, Format: tar.FormatUSTAR}, body})
		if i%3 == 0 {
			name = strings.TrimPrefix(name, "usr/")
		}
		b = fmt.Appendf(b, "%x  %s\n", md5.Sum(body), name)
	}
	return files, file{tar.Header{Name: "./var/lib/dpkg/info/package.md5sums"}, b}
}

// TestListing makes a listing of digests out of the files before it, and needs them from the patch where
// those come behind it.
func TestListing(t *testing.T) {
	const n = 60
	size := func(order func(files []file, listing file) []file) int {
		files, listing := packageFiles(1, n)
		before := order(files, listing)
		files, listing = packageFiles(2, n)
		return patchTo(t, order(files, listing), before)
	}
	known := size(func(files []file, listing file) []file { return append(files, listing) })
	unknown := size(func(files []file, listing file) []file { return append([]file{listing}, files...) })
	if unknown-known < 14*n {
		t.Errorf("patches of %d bytes with digests and %d without", known, unknown)
	}
}

// TestListingOddities restores listings whatever they hold.
func TestListingOddities(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	files, listing := packageFiles(1, 20)
	next, changed := packageFiles(2, 20)
	changed.body = append(changed.body, "not a line of a listing\n\n"...)
	changed.body = append(changed.body, changed.body[:len(changed.body)/2]...)
	before := append(slices.Clone(files), files[3], listing)
	for range 10 {
		changed.body = edit(r, changed.body, 2)
		after := append(append(slices.Clone(next), files[4], next[3], changed), next[5:7]...)
		patchTo(t, after, before)
		patchTo(t, append(after, changed), before, after[:7])
	}
}

func TestDigestsUpdate(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 2)
	d := digests{listed("./usr/bin/a"): [md5.Size]byte{1, 2, 0xff}}
	for was, want := range map[string]string{
		sum + "  bin/a\n":       "0102ff" + strings.Repeat("0", 26) + "  bin/a\n",
		sum + "  usr/bin/a":     "0102ff" + strings.Repeat("0", 26) + "  usr/bin/a",
		sum + "  bin/b\n":       sum + "  bin/b\n",
		sum + " *bin/a\n":       sum + " *bin/a\n",
		sum[1:] + "g  bin/a\n":  sum[1:] + "g  bin/a\n",
		sum + "  ":              sum + "  ",
		"\n\n" + sum[:9] + "\n": "\n\n" + sum[:9] + "\n",
	} {
		b := []byte(was)
		if d.update(b); string(b) != want {
			t.Errorf("%q became %q, not %q", was, b, want)
		}
	}
}

// restoreOps restores size bytes from streams as they are.
func restoreOps(t testing.TB, bodies map[streamID][]byte, base []byte, size int64) ([]byte, error) {
	t.Helper()
	var infos []streamInfo
	var all []byte
	for id, b := range bodies {
		infos = append(infos, streamInfo{id: id, plain: int64(len(b)), coded: int64(len(b))})
		all = append(all, b...)
	}
	s, err := openStreams(bytes.NewReader(all), infos, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out bytes.Buffer
	err = restore(t.Context(), &out, nil, s, newSource([]Old{old(base)}), size, scratch{t.TempDir(), 1 << 20})
	return out.Bytes(), err
}

func TestListingRefused(t *testing.T) {
	base := bytes.Repeat([]byte("x"), 64)
	listing := func(size, from byte, inner ...byte) map[streamID][]byte {
		return map[streamID][]byte{streamOps: append([]byte{byte(opListing - opKindSpan), 8, size}, inner...), streamSources: {from, 0}}
	}
	copied := byte(8*opKindSpan + int(opCopy))
	if b, err := restoreOps(t, listing(64, 0, copied), base, 8); err != nil || string(b) != "xxxxxxxx" {
		t.Errorf("%q, %v", b, err)
	}
	for name, streams := range map[string]map[streamID][]byte{
		"a listing in a listing":    listing(64, 0, byte(opListing-opKindSpan), 8, 64),
		"a listing of nothing":      listing(64, 0, byte(opListing-opKindSpan), 0),
		"more than the source":      listing(65, 0, copied),
		"outside of the source":     listing(64, 2, copied),
		"an operation of no length": {streamOps: {byte(opCopy), 0}},
		"too many digests":          {streamDigests: make([]byte, maxDigests+1)},
	} {
		if b, err := restoreOps(t, streams, base, 8); reason(err) != "format" && reason(err) != "newer" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for size, want := range map[uint64]string{127: "", 128: "format"} { // 128 bytes to make one are too many
		ops := append(binary.AppendUvarint([]byte{byte(opListing - opKindSpan), 1}, size), opKindSpan+byte(opCopy))
		if _, err := restoreOps(t, map[streamID][]byte{streamOps: ops, streamSources: {0, 0}}, bytes.Repeat(base, 4), 1); reason(err) != want {
			t.Errorf("listing of %d bytes for one: %v", size, err)
		}
	}
	if _, err := restoreOps(t, map[streamID][]byte{streamOps: {1, 8}}, base, 8); reason(err) != "newer" {
		t.Errorf("a later operation: %v", err)
	}
	if _, err := restoreOps(t, map[streamID][]byte{streamOps: {byte(opListing - opKindSpan), 8, 0xff, 0xff, 0x7f}}, base, 8); reason(err) != "format" {
		t.Errorf("a large listing: %v", err)
	}
}

// TestDigesterWrites takes the same digests however the bytes come.
func TestDigesterWrites(t *testing.T) {
	files, _ := packageFiles(3, 7)
	b := makeTar(t, files)
	list, err := listEntries(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil || len(list) < len(files) {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	for _, chunk := range []int{1, 100, 512, 513, 1 << 20} {
		d := &digester{w: io.Discard, entries: []int64{1, 0, 2}, known: digests{}, sum: md5.New()}
		for at := 0; at < len(b); at += chunk {
			if _, err := d.Write(b[at:min(len(b), at+chunk)]); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []int{1, 2, 5} {
			e := list[n]
			if d.known[e.name] != md5.Sum(b[e.at:e.at+e.size]) {
				t.Errorf("in chunks of %d: wrong digest of entry %d", chunk, n)
			}
		}
		if len(d.known) != 3 || len(d.entries) != 0 {
			t.Errorf("in chunks of %d: %d digests, %d more wanted", chunk, len(d.known), len(d.entries))
		}
	}
}
