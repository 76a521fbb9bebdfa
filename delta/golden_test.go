package delta

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

var updateGolden = flag.Bool("update", false, "write testdata/golden anew; only ever for a new version of the format")

// goldenFiles makes the golden pair's tars. The patch between them uses every operation but programs'.
func goldenFiles(t *testing.T) (before, after []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(11, 11))
	var text []byte
	for i := range 400 {
		text = fmt.Appendf(text, "line %d says %x\n", i, r.IntN(50))
	}
	files := randomFiles(r, 12)
	files = append(files, file{header: files[0].header, body: text})
	files[12].header.Name = "etc/text"
	installed, listing := packageFiles(1, 4)
	before = makeTar(t, append(append(slices.Clone(files), installed...), listing))
	for i := range files[:10] {
		files[i].header.ModTime = files[i].header.ModTime.Add(time.Hour)
	}
	files[12].body = append([]byte("one line more\n"), files[12].body...)
	installed, listing = packageFiles(2, 4)
	after = makeTar(t, append(append(append(editFiles(r, files), randomFiles(r, 1)...), installed...), listing))
	return before, after
}

// TestGolden applies a patch that an earlier build of this version made: a patch in the field must
// work for as long as there are sites.
func TestGolden(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	if *updateGolden {
		writeGolden(t, dir)
	}
	patch, err := os.ReadFile(filepath.Join(dir, "v1.patch"))
	if err != nil {
		t.Fatal(err)
	}
	before := expandFile(t, filepath.Join(dir, "old.tar.gz"))
	want, err := os.ReadFile(filepath.Join(dir, "new.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Apply(t.Context(), &got, bytes.NewReader(patch), []Old{old(before)}, Limits{Size: int64(len(want))}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the golden patch makes another blob")
	}
}

func expandFile(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var plain bytes.Buffer
	if _, err := recompress.Expand(t.Context(), &plain, f, 1<<20); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()
}

func writeGolden(t *testing.T, dir string) {
	t.Helper()
	before, after := goldenFiles(t)
	blob := gzipped(t, after)
	var patch bytes.Buffer
	if _, err := Diff(t.Context(), &patch, bytes.NewReader(blob), int64(len(blob)), []Old{old(before)}, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"v1.patch": patch.Bytes(), "old.tar.gz": gzipped(t, before), "new.tar.gz": blob} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadErrorOfOld passes on what the disk says.
func TestReadErrorOfOld(t *testing.T) {
	before, blob, patch := sample(t)
	err := Apply(t.Context(), io.Discard, bytes.NewReader(patch), []Old{{ReaderAt: bytes.NewReader(before[:100]), Size: int64(len(before))}}, Limits{Size: int64(len(blob))})
	if err == nil || reason(err) != "" {
		t.Errorf("got %v, want a plain read error", err)
	}
}
