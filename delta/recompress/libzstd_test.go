package recompress

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestLibzstd meets frames of the installed zstd whose layouts differ: files and pipes, jobs and one thread,
// sizes that fill the last block or the last job, and several frames in one blob.
func TestLibzstd(t *testing.T) {
	path := testtools.Tool(t, "zstd", "zstd")
	r := rand.New(rand.NewPCG(5, 5))
	plain := text(5_000_000, 5)
	for range 4_000_000 {
		plain = append(plain, byte(r.Uint32())&0x3f)
	}
	var all []byte
	for _, size := range []int{1, 100, 5000, 128 << 10, 256 << 10, 700_000, 8 << 20, len(plain)} {
		file := filepath.Join(t.TempDir(), "plain")
		if err := os.WriteFile(file, plain[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"-c", "-c --single-thread", "-1 -c --no-check", "-2 -c --single-thread --no-check", "-T2 -c"} {
			cmd := exec.CommandContext(t.Context(), path, strings.Fields(args)...)
			for _, file := range []string{file, ""} {
				cmd := exec.CommandContext(t.Context(), cmd.Path, slices.Clone(cmd.Args[1:])...)
				if file == "" {
					cmd.Stdin = bytes.NewReader(plain[:size])
				} else {
					cmd.Args = append(cmd.Args, file)
				}
				blob, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				_, recipe := roundTrip(t, blob)
				if n := len(recipe.Marshal()); n > 20 {
					t.Errorf("%s, %d bytes: recipe of %d bytes", cmd, size, n)
				}
				if size <= 700_000 {
					all = append(all, blob...)
				}
			}
		}
	}
	roundTrip(t, all)
}

// TestLibzstdCalls refuses calls that are not known.
func TestLibzstdCalls(t *testing.T) {
	for _, e := range []encoder{
		{family: familyLibzstd154, level: 3, block: libzstdAll + 1},
		{family: familyLibzstd154, level: 3, block: 3},
		{family: familyLibzstd154, level: 3, flushed: true},
		{family: familyLibzstd157, level: 19},
		{family: familyLibzstd152, level: -1},
	} {
		_, err := e.newWriter(io.Discard, 100)
		if reason(err) != "newer" {
			t.Errorf("%+v: got %v, want an error of reason newer", e, err)
		}
	}
}
