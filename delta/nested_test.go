package delta

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/delta/recompress"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// prose makes n lines that compress as text does; those that by divides, but for the first, tell another number.
func prose(n, by int) []byte {
	var b []byte
	r := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		number := r.IntN(1 << 30)
		if by > 0 && i > 0 && i%by == 0 {
			number++
		}
		b = fmt.Appendf(b, "line %d of the manual page says %x and %s\n", i, number, []string{"more", "less", "nothing"}[r.IntN(3)])
	}
	return b
}

func gzipWith(t testing.TB, text []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Name, w.ModTime = "page.1", time.Unix(1_700_000_000+int64(len(text)), 0)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipped makes a zip of entries, compressed at a level; wide entries have data descriptors.
func zipped(t testing.TB, level int, entries ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, level) })
	for i, text := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("com/example/C%d.class", i), Method: zip.Deflate, Modified: time.Unix(1_700_000_000, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func oneFile(t testing.TB, name string, body []byte) []byte {
	t.Helper()
	return makeTar(t, []file{{tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(1_700_000_000, 0)}, body}})
}

// patchOf round-trips one file's change and returns the patch's size.
func patchOf(t testing.TB, before, after []byte) int {
	t.Helper()
	return len(roundTrip(t, gzipped(t, oneFile(t, "opt/file", after)), old(oneFile(t, "opt/file", before))))
}

// TestNested changes a few lines inside of compressed files: the patch holds the lines.
func TestNested(t *testing.T) {
	before, after := prose(3000, 0), prose(3000, 500)
	others := make([][]byte, 20)
	for i := range others {
		others[i] = prose(300+i, 0)[i:]
	}
	ar := func(member []byte) []byte {
		return fmt.Appendf(nil, "!<arch>\n%-48s%-10d`\n%s\n", "control.tar.gz", len(member), member)
	}
	for _, test := range []struct {
		name          string
		before, after []byte
	}{
		{"gzip", gzipWith(t, before, 9), gzipWith(t, after, 9)},
		{"gzip of what was plain", before, gzipWith(t, after, 6)},
		{"gzip members", append(gzipWith(t, before, 9), gzipWith(t, others[0], 1)...), append(gzipWith(t, after, 9), gzipWith(t, others[0], 1)...)},
		{"zip", zipped(t, 6, append(others, before)...), zipped(t, 6, append(others, after)...)},
		{"zip at another level", zipped(t, 6, before), zipped(t, 1, after)},
		{"package", ar(gzipWith(t, before, 9)), ar(gzipWith(t, after, 9))},
	} {
		t.Run(test.name, func(t *testing.T) {
			if n := patchOf(t, test.before, test.after); n > 900 {
				t.Errorf("patch of %d bytes", n)
			}
		})
	}
}

// TestNestedUnpacked makes a plain file out of one that was compressed.
func TestNestedUnpacked(t *testing.T) {
	before, after := prose(3000, 0), prose(3000, 500)
	if n := patchOf(t, gzipWith(t, before, 9), after); n > 900 {
		t.Errorf("patch of %d bytes", n)
	}
}

// TestNestedLarge has expanded forms that need files, and says so.
func TestNestedLarge(t *testing.T) {
	before, after := prose(60_000, 0), prose(60_000, 9000)
	patch := roundTrip(t, gzipped(t, oneFile(t, "f.gz", gzipWith(t, after, 6))), old(oneFile(t, "f.gz", gzipWith(t, before, 6))))
	needs, err := ReadNeeds(bytes.NewReader(patch))
	if err != nil || needs.Scratch < int64(len(before)) || needs.Scratch > int64(len(before))+1000 {
		t.Errorf("needs %+v (%v) where a file of %d bytes is expanded", needs, err, len(before))
	}
	if len(patch) > 1500 {
		t.Errorf("patch of %d bytes", len(patch))
	}
}

// TestNestedDamaged round-trips archives that lie about what they hold, whole and changed.
func TestNestedDamaged(t *testing.T) {
	text := prose(200, 0)
	good := zipped(t, 6, text, text[100:], prose(100, 3))
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 5))
		bad := bytes.Clone(good)
		if seed%3 == 0 {
			bad = gzipWith(t, text, 9)
		}
		for range 1 + r.IntN(6) {
			bad[r.IntN(len(bad))] = byte(r.Uint32())
		}
		if seed%4 == 0 {
			bad = bad[:r.IntN(len(bad))]
		}
		patchOf(t, good, bad)
		patchOf(t, bad, good)
		patchOf(t, bad, edit(r, bad, 3))
	}
}

// TestNestedOverlap round-trips a zip whose entries share one stream, and one that claims too much.
func TestNestedOverlap(t *testing.T) {
	before, after := zipped(t, 6, prose(300, 0), prose(200, 0)), zipped(t, 6, prose(300, 40), prose(200, 30))
	first := bytes.Index(after, []byte("PK\x01\x02"))
	second := first + 4 + bytes.Index(after[first+4:], []byte("PK\x01\x02"))
	overlapping := bytes.Clone(after)
	copy(overlapping[second+zipEntryLocal:][:4], after[first+zipEntryLocal:][:4])
	patchOf(t, before, overlapping)
	for _, field := range []int{zipEntryPacked, zipEntryPacked + 4, zipEntryLocal} {
		for _, v := range []uint32{0, 1, 1 << 31, 1<<32 - 1} {
			wrong := bytes.Clone(after)
			binary.LittleEndian.PutUint32(wrong[first+field:], v)
			patchOf(t, before, wrong)
		}
	}
}

// compressedELF makes an ELF file whose one section is compressed.
func compressedELF(t testing.TB, text []byte) []byte {
	t.Helper()
	var section bytes.Buffer
	section.Write(binary.LittleEndian.AppendUint64([]byte{elfCompressZlib, 0, 0, 0, 0, 0, 0, 0}, uint64(len(text))))
	section.Write(make([]byte, 8))
	w, err := zlib.NewWriterLevel(&section, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, elfHeaderSize)
	copy(b, "\x7fELF\x02\x01\x01")
	b = append(b, section.Bytes()...)
	binary.LittleEndian.PutUint64(b[elfSections:], uint64(len(b)))
	binary.LittleEndian.PutUint16(b[elfSectionSize:], shdrSize)
	binary.LittleEndian.PutUint16(b[elfSectionCount:], 1)
	shdr := make([]byte, shdrSize)
	shdr[shdrType] = 1
	binary.LittleEndian.PutUint64(shdr[shdrFlags:], shfCompressed)
	binary.LittleEndian.PutUint64(shdr[shdrOffset:], elfHeaderSize)
	binary.LittleEndian.PutUint64(shdr[shdrBytes:], uint64(section.Len()))
	return append(b, shdr...)
}

// TestNestedSection expands a section, and reads the expanded file as an ELF file.
func TestNestedSection(t *testing.T) {
	before, after := compressedELF(t, prose(3000, 0)), compressedELF(t, prose(3000, 500))
	if n := patchOf(t, before, after); n > 900 {
		t.Errorf("patch of %d bytes", n)
	}
	streams := packedStreams(after)
	if len(streams) != 1 || !streams[0].inflate(after, loadLimit) {
		t.Fatalf("found %d streams", len(streams))
	}
	u := unpack(after, streams)
	was := bytes.Clone(u.bytes)
	undo := reshape(u.bytes, u.streams)
	if streams := elfStreams(u.bytes); len(streams) > 0 {
		t.Error("the expanded section claims to be compressed")
	}
	shdr := sectionTable(u.bytes)
	at, size := binary.LittleEndian.Uint64(shdr[shdrOffset:]), binary.LittleEndian.Uint64(shdr[shdrBytes:])
	if !bytes.Equal(u.bytes[at:][:size], prose(3000, 500)) {
		t.Error("the section header does not lead to the expanded section")
	}
	if undo(); !bytes.Equal(u.bytes, was) {
		t.Error("the file is not as it was")
	}
}

// TestNestedTools takes what the tools of distributions make.
func TestNestedTools(t *testing.T) {
	before, after := prose(3000, 0), prose(3000, 500)
	run := func(text []byte, command ...string) []byte {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "text"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), testtools.Tool(t, command[0], command[0]), command[1:]...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, out)
		}
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, command := range [][]string{
		{"sh", "-c", "gzip -9n <text >out"},
		{"sh", "-c", "gzip <text >out"},
		{"python3", "-c", "import zipfile; zipfile.ZipFile('out', 'w', zipfile.ZIP_DEFLATED).write('text')"},
		{"python3", "-c", "import zipfile; zipfile.ZipFile('out', 'w', zipfile.ZIP_DEFLATED, compresslevel=9).write('text')"},
	} {
		if n := patchOf(t, run(before, command...), run(after, command...)); n > 900 {
			t.Errorf("%v: patch of %d bytes", command, n)
		}
	}
}

// builtProgram is a Go program whose main begins with a line.
func builtProgram(t *testing.T, line string) []byte {
	t.Helper()
	dir := t.TempDir()
	source := "package main\n\nimport \"os\"\n\nfunc main() {\n" + line + "\tos.Stdout.WriteString(os.Args[0])\n}\n"
	for name, text := range map[string]string{"main.go": source, "go.mod": "module hello\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", "hello", ".")
	c.Dir, c.Env = dir, append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNestedProgram changes a program whose compressed sections a Go tool chain made: sections and code
// are matched as those of one program.
func TestNestedProgram(t *testing.T) {
	before, after := builtProgram(t, ""), builtProgram(t, "\tfor _, a := range os.Args[1:] {\n\t\tprintln(len(a), a)\n\t}\n")
	if n := patchOf(t, before, after); n > len(after)/400 {
		t.Errorf("patch of %d bytes for a program of %d", n, len(after))
	}
}

// stopping is an old whose first read ends a context.
type stopping struct {
	io.ReaderAt
	stop func()
}

func (s stopping) ReadAt(p []byte, at int64) (int, error) {
	s.stop()
	return s.ReaderAt.ReadAt(p, at)
}

// TestNestedStops stops to expand base files once nobody wants them any more.
func TestNestedStops(t *testing.T) {
	for _, size := range []int{inMemory / 2, 64 * inMemory} {
		var b bytes.Buffer
		z, err := flate.NewWriter(&b, 9)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		src := newSource([]Old{{ReaderAt: stopping{bytes.NewReader(b.Bytes()), stop}, Size: int64(b.Len())}})
		list := []expansion{{size: src.size, stretches: []stretch{{0, src.size, int64(size)}}}}
		dir := t.TempDir()
		if _, _, err := expandFiles(ctx, src, list, dir); !errors.Is(err, context.Canceled) {
			t.Errorf("%d bytes: error %v", size, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d bytes: %d files are left, %v", size, len(left), err)
		}
		stop()
	}
}

// restoreNested makes size bytes by operations over base, from streams as they stand in a patch.
func restoreNested(t *testing.T, ops, sources, text, base []byte, size int64) ([]byte, error) {
	t.Helper()
	var infos []streamInfo
	var bodies []byte
	for id, b := range map[streamID][]byte{streamOps: ops, streamSources: sources, streamText: text} {
		infos = append(infos, streamInfo{id: id, plain: int64(len(b)), coded: int64(len(b))})
		bodies = append(bodies, b...)
	}
	s, err := openStreams(bytes.NewReader(bodies), infos, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out bytes.Buffer
	err = restore(t.Context(), &out, nil, s, newSource([]Old{old(base)}), size, scratch{t.TempDir(), 1 << 20})
	return out.Bytes(), err
}

// nestedOp is an operation that makes n bytes, all of one stored part, out of the last bytes of its expanded olds.
func nestedOp(n int64, olds []expansion, recipe *recompress.Recipe) []byte {
	ops := binary.AppendUvarint(nil, uint64(n)*opKindSpan+uint64(opNested))
	ops = appendNested(ops, olds, recipe)
	return binary.AppendUvarint(ops, uint64(recipe.PlainSize())*opKindSpan+uint64(opCopy))
}

// idle are operations that look at much and make next to nothing. The work for each byte is bounded as in the zip bombs of
// https://www.usenix.org/conference/woot19/presentation/fifield , which this turns around.
func idle(encoder recompress.Encoder) map[string][]byte {
	one := &recompress.Recipe{}
	one.Stored(1)
	empty := stretch{size: 2}
	parts := &recompress.Recipe{}
	parts.Stored(1)
	for range 1 << 10 {
		parts.Deflated(0, encoder, recompress.CheckNone)
	}
	return map[string][]byte{
		"a long stream that makes nothing": nestedOp(1, []expansion{{size: 1 << 20, stretches: []stretch{{size: 1 << 20}}}}, one),
		"very many streams":                nestedOp(1, []expansion{{size: 1 << 17, stretches: slices.Repeat([]stretch{empty}, 1<<16)}}, one),
		"a few streams too many":           nestedOp(1, []expansion{{size: 3, stretches: []stretch{empty}}}, one),
		"parts that make nothing":          nestedOp(1, nil, parts),
		"very many operations":             bytes.Repeat(nestedOp(1, nil, one), 1<<16),
	}
}

// TestNestedIdle: time is bounded by what an operation makes.
func TestNestedIdle(t *testing.T) {
	base := bytes.Repeat([]byte{3, 0}, 1<<19) // empty DEFLATE streams
	_, _, _, encoder := goStream(t)
	for name, ops := range idle(encoder) {
		t.Run(name, func(t *testing.T) {
			out, err := restoreNested(t, ops, make([]byte, 1<<18), nil, base, 1<<16)
			if reason(err) != "format" {
				t.Errorf("error %v, want reason format", err)
			}
			if most := fewBased + 1<<16/plainPerBased; len(out) > most {
				t.Errorf("%d bytes were made, one at a time, more than %d", len(out), most)
			}
		})
	}
}

// goStream gives a file that holds a stream of Go's, the stream, what it expands to and what makes it.
func goStream(t testing.TB) (base []byte, p packed, text []byte, encoder recompress.Encoder) {
	t.Helper()
	text = prose(40, 0)
	base = gzipWith(t, text, 6)
	p = packedStreams(base)[0]
	encoder, ok, err := new(recompress.Streams).Find(t.Context(), base[p.offset:], text, recompress.CheckGzip)
	if err != nil || !ok {
		t.Fatal("no recipe for a stream of Go's")
	}
	return base, p, text, encoder
}

// FuzzNested feeds nested operations over a base that holds a stream.
func FuzzNested(f *testing.F) {
	base, stream, text, encoder := goStream(f)
	u := unpack(base, []packed{stream})
	recipe := &recompress.Recipe{}
	recipe.Stored(int64(stream.offset))
	recipe.Deflated(int64(len(text)), encoder, recompress.CheckGzip)
	ops := binary.AppendUvarint(nil, uint64(len(base))*opKindSpan+uint64(opNested))
	ops = appendNested(ops, []expansion{{size: int64(len(base)), stretches: u.stretches}}, recipe)
	ops = binary.AppendUvarint(ops, uint64(len(u.bytes))*opKindSpan+uint64(opCopy))
	f.Add(ops, []byte{0, 0}, []byte{}, uint16(len(base)))
	for _, ops := range idle(encoder) {
		f.Add(ops[:min(len(ops), 1<<12)], make([]byte, 64), []byte{}, uint16(1))
	}
	f.Fuzz(func(t *testing.T, ops, sources, text []byte, size uint16) {
		out, err := restoreNested(t, ops, sources, text, base, int64(size))
		if len(out) > int(size) || err == nil && len(out) != int(size) {
			t.Errorf("%d bytes of %d, error %v", len(out), size, err)
		}
	})
}
