package build

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

func TestFileCosts(t *testing.T) {
	got := fileCosts([]delta.MemberCost{{Name: "a\x1b[31m\xff", Bytes: 5, Why: "new file"}, {Name: "", Bytes: 4}, {Name: "b", Bytes: 0}})
	if len(got) != 1 || got[0].Name != `a\x1b[31m\xff` || got[0].Bytes != 5 || got[0].Why != "new file" {
		t.Errorf("got %+v", got)
	}
}

func TestDearest(t *testing.T) {
	files := func(n int, bytes int64) []bundle.FileCost {
		list := make([]bundle.FileCost, n)
		for i := range list {
			list[i] = bundle.FileCost{Name: strings.Repeat("n", 50), Bytes: bytes, Why: "7 changed lines"}
		}
		return list
	}
	for name, c := range map[string]struct {
		files []bundle.FileCost
		patch int64
		want  int
	}{
		"a large patch":          {files(100, 40_000), 4_000_000, bundle.MaxFileCosts},
		"a list that costs much": {files(100, 400), 8_000, 2},
		"a small patch":          {files(3, 100), 500, 0},
		"small files":            {files(100, 300), 40_000, 0},
		"few":                    {files(2, 4_000), 40_000, 2},
	} {
		if got := dearest(c.files, c.patch); len(got) != c.want {
			t.Errorf("%s: %d files, want %d", name, len(got), c.want)
		}
	}
}

// TestFitCosts: the lists of a release with thousands of patches fit it; those of the dearest patches stay.
func TestFitCosts(t *testing.T) {
	var blobs []bundle.Blob
	for i := range 5000 {
		files := []bundle.FileCost{{Name: strings.Repeat("n", 900), Bytes: 1, Why: "new"}}
		blobs = append(blobs, bundle.Blob{Payload: &bundle.Payload{Size: int64(1 + i)}, Files: files})
	}
	fitCosts(blobs)
	size, named := 0, 0
	for _, b := range blobs {
		for _, f := range b.Files {
			size, named = size+len(f.Name), named+1
		}
	}
	if size > allLists || named < 1000 || len(blobs[0].Files) > 0 || len(blobs[4999].Files) == 0 {
		t.Errorf("%d files with %d bytes of names are told of", named, size)
	}
}
