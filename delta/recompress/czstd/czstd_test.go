package czstd

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// installed returns the zstd program and the generation that it is of.
func installed(t *testing.T) (string, Version) {
	t.Helper()
	path := testtools.Tool(t, "zstd", "zstd")
	out, err := exec.CommandContext(t.Context(), path, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	for version, names := range map[Version]string{V145: "v1.4.5", V148: "v1.4.8", V152: "v1.5.2", V154: "v1.5.4 v1.5.5 v1.5.6", V157: "v1.5.7"} {
		for _, name := range strings.Fields(names) {
			if bytes.Contains(out, []byte(name)) {
				return path, version
			}
		}
	}
	t.Fatalf("zstd of another version than 1.4.5, 1.4.8, 1.5.2 and 1.5.4 to 1.5.7: %s", out)
	return "", 0
}

// samples are parts of layers: a program, and made bytes of sizes around those of blocks, tables and jobs.
func samples(t *testing.T) map[string][]byte {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	made := sample()
	list := map[string][]byte{
		"empty": nil, "byte": {7}, "six": []byte("abcabc"), "seven": []byte("aaaaaaa"),
		"noise": noise(nil, r, 700_000), "zeros": make([]byte, 1_000_000), "job": made[:8<<20], "program": program[:min(len(program), 9_500_001)],
	}
	for _, n := range []int{9, 64, 300, 16 << 10, 17_000, 128 << 10, 128<<10 + 1, 200_000, 256 << 10, 256<<10 + 1, 512 << 10, 512<<10 + 1, 2 << 20, 3_000_000} {
		at := r.IntN(len(made) - n)
		list[fmt.Sprint(n)] = made[at : at+n]
	}
	return list
}

// TestZstd compares with the installed zstd: files, whose size it knows, and pipes, in jobs and by one thread.
func TestZstd(t *testing.T) {
	path, version := installed(t)
	for name, plain := range samples(t) {
		file := filepath.Join(t.TempDir(), "plain")
		if err := os.WriteFile(file, plain, 0o644); err != nil {
			t.Fatal(err)
		}
		for level := 1; level <= 3; level++ {
			if testing.Short() && level != 3 {
				continue
			}
			for _, o := range []Options{
				{Layout: Jobs, Stated: true, Checksum: true},
				{Layout: Stream, Stated: true},
				{Layout: Jobs, Checksum: true, Late: true},
				{Layout: Stream, Late: true},
			} {
				o.Version, o.Level = version, level
				args := []string{fmt.Sprintf("-%d", level), "-c"}
				if o.Layout == Stream {
					args = append(args, "--single-thread", "--no-check")
				}
				cmd := exec.CommandContext(t.Context(), path, args...)
				if o.Stated {
					cmd.Args = append(cmd.Args, file)
				} else {
					cmd.Stdin = bytes.NewReader(plain)
					o.Stated = len(plain) == 0 // which is known from the first call on
				}
				want, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				if got := pack(t, plain, o, 1<<20); !bytes.Equal(got, want) {
					t.Errorf("%s, %+v: %d bytes differ from zstd's %d", name, o, len(got), len(want))
				}
			}
		}
	}
}

// TestPieces writes in pieces of any size, which must not show.
func TestPieces(t *testing.T) {
	plain := sample()[:5_000_000]
	for _, layout := range layouts {
		o := Options{Version: V157, Level: 1, Layout: layout, Stated: true}
		want := pack(t, plain, o, len(plain))
		for _, piece := range []int{511, 128 << 10, 128<<10 + 1, 3_000_000} {
			if !bytes.Equal(pack(t, plain, o, piece), want) {
				t.Errorf("%+v: pieces of %d bytes show", o, piece)
			}
		}
		d, err := zstd.NewReader(bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%+v: does not decode: %v", o, err)
		}
		d.Close()
	}
}

// TestBounds gives sizes and options that are none.
func TestBounds(t *testing.T) {
	for _, o := range []Options{{}, {Level: 5}, {Level: -1}, {Level: 3, Layout: 3}, {Level: 3, Version: 5}, {Level: 3, Version: -1}} {
		if _, err := NewWriter(io.Discard, o, 1); err == nil {
			t.Errorf("%+v: want an error", o)
		}
	}
	w, err := NewWriter(io.Discard, Options{Level: 3}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("closed before the end: want an error")
	}
	if _, err := w.Write(make([]byte, 11)); err == nil {
		t.Error("more than declared: want an error")
	}
	if w, err = NewWriter(io.Discard, Options{Level: 3, Stated: true}, 1<<40); err != nil || cap(w.f.matcher.buf) > 5<<20 {
		t.Errorf("1 TiB declared: %v, %d bytes of history", err, cap(w.f.matcher.buf))
	}
}
