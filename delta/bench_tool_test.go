package delta

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"
	"time"
	"encoding/json"
	"path/filepath"
	"strings"
)

type descT struct{ Digest string; Size int64 }

func layersOf(t *testing.T, dir string) []string {
	read := func(d string, into any) {
		b, err := os.ReadFile(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(d, "sha256:")))
		if err != nil { t.Fatal(err) }
		if err := json.Unmarshal(b, into); err != nil { t.Fatal(err) }
	}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil { t.Fatal(err) }
	var idx struct{ Manifests []descT }
	json.Unmarshal(b, &idx)
	var out []string
	for _, m := range idx.Manifests {
		var man struct{ Layers []descT; Manifests []descT }
		read(m.Digest, &man)
		for _, l := range man.Layers { out = append(out, filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(l.Digest, "sha256:"))) }
	}
	return out
}

func TestTool(t *testing.T) {
	pair := os.Getenv("PAIR")
	if pair == "" { t.Skip() }
	home, _ := os.UserHomeDir()
	dir := filepath.Join(home, ".cache/sallyport-corpus", pair)
	var olds []Old
	have := map[string]bool{}
	for _, l := range layersOf(t, dir+"/old") {
		have[filepath.Base(l)] = true
		f, _ := os.Open(l)
		tmp, _ := os.CreateTemp("", "old")
		os.Remove(tmp.Name())
		n, err := Expand(context.Background(), tmp, f, 1<<40)
		if err != nil { t.Fatal(err) }
		olds = append(olds, Old{tmp, n})
	}
	for _, l := range layersOf(t, dir+"/new") {
		if have[filepath.Base(l)] { continue }
		if os.Getenv("FULL") != "" { olds = nil }
		f, _ := os.Open(l)
		st, _ := f.Stat()
		var patch bytes.Buffer
		start := time.Now()
		res, err := Diff(context.Background(), &patch, f, st.Size(), olds, Options{})
		if err != nil { t.Errorf("%s: %v", l, err); continue }
		d := time.Since(start)
		h, _ := readHeader(bufioNew(patch.Bytes()))
		for _, s := range h.streams { t.Logf("   stream %d codec %d: %d -> %d", s.id, s.codec, s.plain, s.coded) }
		os.WriteFile("/tmp/dl/"+pair+".patch", patch.Bytes(), 0o644)
		start = time.Now()
		err = Apply(context.Background(), io.Discard, bytes.NewReader(patch.Bytes()), olds, Limits{Size: st.Size()})
		t.Logf("%s layer %d plain %d patch %d recipe %s used %v diff %.1fs apply %.1fs err %v", pair, st.Size(), res.PlainSize, res.Size, res.Recipe, res.Used, d.Seconds(), time.Since(start).Seconds(), err)
	}
}
