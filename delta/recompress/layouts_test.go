package recompress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLayouts meets blobs of the real estargz and zstd:chunked libraries, which testdata/make-layouts makes:
// members or frames for each file, flushed, with their tables of contents and footers.
func TestLayouts(t *testing.T) {
	blobs, err := filepath.Glob(filepath.Join("testdata", "layouts", "*-v*"))
	if err != nil || len(blobs) < 6 {
		t.Fatalf("%d blobs: %v", len(blobs), err)
	}
	for _, path := range blobs {
		blob, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		plain, r := roundTrip(t, blob)
		name := filepath.Base(path)
		t.Logf("%-28s %d bytes, %d plain, recipe of %d: %s", name, len(blob), len(plain), len(r.Marshal()), r)
		for _, e := range r.encoders {
			if e.family == familyTokens {
				t.Errorf("%s: %s", name, e)
			}
		}
		if !strings.Contains(string(plain), "etc/file5") {
			t.Errorf("%s: no layer", name)
		}
	}
}
