package bundle_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

func TestOpenStandardInput(t *testing.T) {
	f, err := bundle.OpenFile("-", strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil || string(b) != "abc" || f.Size() != 0 || f.Name() != "standard input" {
		t.Errorf("standard input is %q, %v, %d bytes, called %s", b, err, f.Size(), f.Name())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	_, err = bundle.OpenFile("-", nil)
	wantReason(t, err, "usage", "no standard input")
}

func TestOpenMissing(t *testing.T) {
	if _, err := bundle.OpenFile(filepath.Join(t.TempDir(), "store.tar"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestOpenDirectory(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	tests := []struct {
		name  string
		files map[string][]byte
		want  string // the reason, or empty if the one bundle opens
		text  string
	}{
		{"one, by any name", map[string][]byte{"update.bin": file, "README.txt": []byte("hello"), "sallyport": file[512:]}, "", ""},
		{"one and leftovers", map[string][]byte{"a.tar": file, ".a.tar.123.tmp": file, "empty.tar": nil, "other.tar": make([]byte, 5000)}, "", ""},
		{"none", map[string][]byte{"README.txt": []byte("hello")}, "usage", "holds no bundle"},
		{"two", map[string][]byte{"b.tar": file, "a.tar": file}, "usage", "holds 2 bundles: a.tar, b.tar"},
		{"file and first part", map[string][]byte{"a.tar": file, "a.tar.001": file}, "usage", "a.tar, a.tar.001"},
		{"a damaged one", map[string][]byte{"a.tar": flip(file, 20)}, "format", "not a bundle"},
		{"an empty one", map[string][]byte{"a.tar": nil}, "truncated", "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := bundle.OpenFile(dir, nil)
			if err == nil {
				var r *bundle.Reader
				if r, _, err = readAll(f); err == nil && r.Descriptor().Name != "store-platform" {
					t.Errorf("%s is another release", f.Name())
				}
				if cerr := f.Close(); cerr != nil {
					t.Error(cerr)
				}
			}
			if tt.want != "" {
				wantReason(t, err, tt.want, tt.text)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenPipe(t *testing.T) {
	file := bundletest.Delta().Bytes(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := io.Copy(w, bytes.NewReader(file))
		if cerr := w.Close(); err != nil || cerr != nil {
			t.Errorf("fill the pipe: %v, %v", err, cerr)
		}
	}()
	f, err := bundle.OpenFile("-", r)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := readAll(f); err != nil {
		t.Error(err)
	}
}

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"linux/amd64": "linux/amd64", "linux/x86_64": "linux/amd64", "Linux/amd64": "linux/amd64", "linux/amd64/v3": "linux/amd64/v3",
		"linux/arm": "linux/arm/v7", "linux/arm/v7": "linux/arm/v7", "linux/armel": "linux/arm/v6", "linux/arm64/v8": "linux/arm64",
		"linux/aarch64": "linux/arm64", "unknown/unknown": "unknown/unknown", "linux": "", "linux/": "", "linux/amd64/": "",
		"linux/arm/v7/x": "", "linux/../x": "", "linux(10)/amd64": "", "": "",
	} {
		p, err := bundle.ParsePlatform(in)
		if (err == nil) != (want != "") || (err == nil && bundle.FormatPlatform(p) != want) {
			t.Errorf("%q is %v, %v; want %s", in, p, err, want)
		}
	}
	if got := bundle.FormatPlatform(ocispec.Platform{Architecture: "amd64"}); got != "unknown/unknown" {
		t.Errorf("without an operating system: %s", got)
	}
}
