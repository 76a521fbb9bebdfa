package recompress

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// builderProgram is a program that compresses, with arguments for each way in which builders call it.
type builderProgram struct {
	name, pkg string
	args      [][]string
	// Percent of the blob that its recipe costs at most. Exact recipes cost nothing.
	most float64
	none bool // there is no recipe
}

func levels(from, to int, args ...string) [][]string {
	var list [][]string
	for level := from; level <= to; level++ {
		list = append(list, append([]string{fmt.Sprintf("-%d", level)}, args...))
	}
	return list
}

// zlibArgs call Python's zlib with a memory level.
func zlibArgs(memory int, levels ...int) [][]string {
	var list [][]string
	for _, level := range levels {
		list = append(list, []string{"-c", fmt.Sprintf("import sys, zlib; z = zlib.compressobj(%d, 8, 31, %d); o = sys.stdout.buffer; o.write(z.compress(sys.stdin.buffer.read())); o.write(z.flush())", level, memory)})
	}
	return list
}

func builderPrograms() []builderProgram {
	return []builderProgram{
		{name: "gzip", pkg: "gzip", args: levels(1, 9, "-n")},
		{name: "pigz", pkg: "pigz", args: levels(1, 3, "-n", "-p", "1"), most: 1},
		{name: "pigz", pkg: "pigz", args: levels(4, 9, "-n", "-p", "1")},
		{name: "pigz", pkg: "pigz", args: levels(1, 9, "-n", "-p", "4")},
		{name: "pigz", pkg: "pigz", args: [][]string{{"-p", "3", "-b", "64"}, {"-p", "3", "-b", "1024"}}},
		// Of few joints, none may show: the size of the blocks is not known then.
		{name: "pigz", pkg: "pigz", args: [][]string{{"-p", "3", "-b", "256"}, {"-9", "-p", "3", "-b", "512"}}, most: 2},
		{name: "python3", pkg: "python3", args: zlibArgs(8, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
		{name: "python3", pkg: "python3", args: zlibArgs(9, 1, 6, 9), most: 2},
		{name: "python3", pkg: "python3", args: zlibArgs(5, 1, 6, 9), most: 6},
		{name: "libdeflate-gzip", pkg: "libdeflate-tools", args: levels(1, 12, "-n", "-c"), most: 100.0 / costlyShare},
		{name: "pigz", pkg: "pigz", args: [][]string{{"-11"}}, most: 100.0 / costlyShare},
		{name: "zstd", pkg: "zstd", args: append(levels(1, 4, "-c"), levels(1, 4, "-c", "--single-thread", "--no-check")...)},
		{name: "zstd", pkg: "zstd", args: [][]string{{"-9", "-c"}, {"-19", "-c"}}, none: true},
	}
}

// TestTable prints which recipe there is for what each program writes; of Go's encoders see TestVectors.
func TestTable(t *testing.T) {
	plain := vectorSample()[1_000_000:1_700_000]
	for _, p := range builderPrograms() {
		path := testtools.Tool(t, p.name, p.pkg)
		for i, args := range p.args {
			if testing.Short() && i%4 != 0 {
				continue
			}
			cmd := exec.CommandContext(t.Context(), path, args...)
			cmd.Stdin = bytes.NewReader(plain)
			blob, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s %s: %v", p.name, args, err)
			}
			p.check(t, args[:1], blob, plain)
		}
	}
}

func (p builderProgram) check(t *testing.T, args []string, blob, plain []byte) {
	t.Helper()
	found, err := Find(t.Context(), bytes.NewReader(blob), int64(len(blob)), bytes.NewReader(plain), int64(len(plain)))
	if p.none {
		if !errors.Is(err, ErrNoRecipe) {
			t.Errorf("%s %s: got %v, want ErrNoRecipe", p.name, args, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s %s: %v", p.name, args, err)
		return
	}
	b := found.Marshal()
	cost := 100 * float64(len(b)-60) / float64(len(blob))
	if cost > p.most {
		t.Errorf("%s %s: a recipe of %.2f %%, want at most %.2f", p.name, args, cost, p.most)
	}
	t.Logf("%-16s %-4.12s %8d bytes: %s (%.2f %%)", p.name, args[0], len(blob), found, max(0, cost))
	if r, err := Parse(b); err != nil || !bytes.Equal(rebuild(t, r, plain), blob) {
		t.Errorf("%s %s: the recipe makes another blob: %v", p.name, args, err)
	}
}

// TestEstargz meets blobs as stargz-snapshotter lays them out: a member for each file, flushed before
// it is closed, then the table of contents and a footer.
func TestEstargz(t *testing.T) {
	var blob bytes.Buffer
	files := 2000
	if testing.Short() {
		files = 300
	}
	for i := range files {
		blob.Write(pack(t, text(200+i%1777, uint64(i)), func(w io.Writer) (io.WriteCloser, error) { return flushedGzip(w, 9) }))
	}
	blob.Write(pack(t, text(9000, 9), func(w io.Writer) (io.WriteCloser, error) { return flushedGzip(w, 9) }))
	blob.Write(estargzFooter)
	_, r := roundTrip(t, blob.Bytes())
	if n := len(r.Marshal()); n > 200+2*files {
		t.Errorf("recipe of %d bytes for %d members", n, files)
	}
}

type flushedWriter struct{ *gzip.Writer }

func flushedGzip(w io.Writer, level int) (io.WriteCloser, error) {
	z, err := gzip.NewWriterLevel(w, level)
	return flushedWriter{z}, err
}

func (f flushedWriter) Close() error {
	if err := f.Flush(); err != nil {
		return err
	}
	return f.Writer.Close()
}

// estargzFooter is an empty member whose header's extra field says where the table of contents is.
var estargzFooter = append(append([]byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 26, 0, 'S', 'G', 22, 0}, "0000000000123456STARGZ"...),
	1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
