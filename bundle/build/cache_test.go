package build

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// told collects what a build says under a label.
func told(cfg *Config, label string) *[]string {
	var lines []string
	cfg.Observe = func(e Event) {
		if e.Label == label && e.Total == 0 {
			lines = append(lines, e.Text)
		}
	}
	return &lines
}

func TestCache(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0"))
	cfg := f.config("2.0.0", first.File)
	cfg.Cache = f.path("cache")
	build := func(label, want string) *Result {
		t.Helper()
		lines := told(&cfg, label)
		res := f.build(cfg)
		if all := strings.Join(*lines, "\n"); !strings.Contains(all, want) {
			t.Errorf("%s says %q, want %q", label, all, want)
		}
		return res
	}
	fresh := build("cache", "0 of 1 layer read")
	if got := forms(fresh.Descriptor); got[bundle.FormDelta] != 1 {
		t.Errorf("layers travel as %v", got)
	}
	if again := build("cache", "1 of 1 layer read"); again.Digest != fresh.Digest || !bytes.Equal(read(t, again.File), read(t, fresh.File)) {
		t.Error("with the cache the bundle is another")
	}
	cfg.Effort = "fast"
	build("cache", "0 of 1 layer read")
	cfg.Effort = ""

	files, err := filepath.Glob(filepath.Join(cfg.Cache, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the cache has %q, %v", files, err)
	}
	for _, file := range files {
		raw := read(t, file)
		raw[len(raw)/2] ^= 1
		f.writeRaw(file, raw)
	}
	if mended := build("note", "is damaged"); mended.Digest != fresh.Digest {
		t.Error("with a damaged cache the bundle is another")
	}
	build("cache", "1 of 1 layer read")

	cfg.Cache = first.File // no folder
	if res := build("note", "cache cannot be used"); res.Digest != fresh.Digest {
		t.Error("without a cache the bundle is another")
	}
}

func (f *factory) writeRaw(path string, raw []byte) {
	f.t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestCacheEntry reads back what was written, whole and damaged in every way.
func TestCacheEntry(t *testing.T) {
	patches, dir := t.TempDir(), t.TempDir()
	content := []byte("a patch")
	sum := digest.FromBytes(content)
	if err := os.WriteFile(filepath.Join(patches, sum.Encoded()), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]entry{
		"a patch": {Patch: &bundle.Payload{Digest: sum, Size: int64(len(content))}, Bases: []bundle.BaseBlob{{Digest: sum, Size: 1, PlainSize: 2}}},
		"none":    {Note: "no recipe for its compression"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPatchCache(dir, "", "")
			e.Key = "key"
			if err := c.write(e, patches); err != nil {
				t.Fatal(err)
			}
			got, p, err := readEntry(c.path("key"), "key", patches)
			if err != nil || got.Note != e.Note || (p == nil) != (e.Patch == nil) || len(got.Bases) != len(e.Bases) {
				t.Fatalf("read %+v, %+v, %v", got, p, err)
			}
			if p != nil {
				if raw, err := os.ReadFile(p.path); err != nil || !bytes.Equal(raw, content) {
					t.Errorf("the patch is %q, %v", raw, err)
				}
			}
			raw, err := os.ReadFile(c.path("key"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw {
				flipped := bytes.Clone(raw)
				flipped[i] ^= 4
				wantDamaged(t, raw[:i], patches)
				wantDamaged(t, flipped, patches)
			}
			wantDamaged(t, append(bytes.Clone(raw), 'x'), patches)
		})
	}
	c := newPatchCache(dir, "", "")
	if _, _, err := readEntry(c.path("other"), "other", patches); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a layer that nobody knows: %v", err)
	}
	if _, _, err := readEntry(c.path("key"), "other", patches); !errors.Is(err, errDamaged) {
		t.Errorf("another layer's file: %v", err)
	}
}

func wantDamaged(t *testing.T, raw []byte, patches string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.patch")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(patches)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := readEntry(file, "key", patches); !errors.Is(err, errDamaged) {
		t.Fatalf("%q: %v", raw, err)
	}
	if after, err := os.ReadDir(patches); err != nil || len(after) != len(before) {
		t.Fatalf("%q left a file behind, %v", raw, err)
	}
}
