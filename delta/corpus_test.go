package delta

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// corpusPairs are pairs of real images, as OCI layouts DIR/NAME/{old,new} below $SALLYPORT_CORPUS or
// the user's cache folder. Without them the benchmarks below are skipped.
var corpusPairs = []string{"caddy", "containerd-arm64", "coredns", "debian-base", "debian-server", "node-app", "config-only", "mtime-only", "release-set"}

func corpusDir(b *testing.B, pair string) string {
	b.Helper()
	dir := os.Getenv("SALLYPORT_CORPUS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			b.Skip(err)
		}
		dir = filepath.Join(cache, "sallyport-corpus")
	}
	dir = filepath.Join(dir, pair)
	if _, err := os.Stat(filepath.Join(dir, "new", "index.json")); err != nil {
		b.Skipf("needs the corpus pair: %v", err)
	}
	return dir
}

type descriptor struct {
	Digest string
	Size   int64
}

// layerFiles returns the files of all layers of all images in a layout, each once.
func layerFiles(b *testing.B, layout string) []string {
	b.Helper()
	read := func(file string, into any) {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			b.Fatal(err)
		}
	}
	blob := func(d descriptor) string {
		return filepath.Join(layout, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:"))
	}
	var index struct{ Manifests []descriptor }
	read(filepath.Join(layout, "index.json"), &index)
	var files []string
	seen := map[string]bool{}
	for _, image := range index.Manifests {
		var manifest struct{ Layers []descriptor }
		read(blob(image), &manifest)
		for _, layer := range manifest.Layers {
			if !seen[layer.Digest] {
				files = append(files, blob(layer))
			}
			seen[layer.Digest] = true
		}
	}
	return files
}

// expanded returns a layer's plain bytes in a file.
func expanded(b *testing.B, file string) Old {
	b.Helper()
	in, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.CreateTemp(b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { out.Close() })
	n, err := Expand(b.Context(), out, in, maxSize)
	if err != nil {
		b.Fatal(err)
	}
	return Old{ReaderAt: out, Size: n}
}

// BenchmarkPair makes and applies the patches of a corpus pair's new layers against all its old
// ones. It reports the patches' bytes and the seconds of both sides; -v tells the streams apart.
func BenchmarkPair(b *testing.B) {
	for _, pair := range corpusPairs {
		b.Run(pair, func(b *testing.B) { benchmarkPair(b, corpusDir(b, pair)) })
	}
}

func benchmarkPair(b *testing.B, dir string) {
	var olds []Old
	have := map[string]bool{}
	for _, file := range layerFiles(b, filepath.Join(dir, "old")) {
		have[filepath.Base(file)] = true
		olds = append(olds, expanded(b, file))
	}
	for b.Loop() {
		var total, full int64
		var building, applying time.Duration
		for _, file := range layerFiles(b, filepath.Join(dir, "new")) {
			if have[filepath.Base(file)] {
				continue
			}
			f, err := os.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			size, err := f.Seek(0, io.SeekEnd)
			if err != nil {
				b.Fatal(err)
			}
			var patch bytes.Buffer
			start := time.Now()
			result, err := Diff(b.Context(), &patch, f, size, olds, Options{TempDir: b.TempDir()})
			f.Close()
			building += time.Since(start)
			full += size
			if err != nil {
				b.Logf("layer of %d bytes: %v", size, err)
				total += size
				continue
			}
			logStreams(b, result, patch.Bytes())
			total += result.Size
			start = time.Now()
			var used []Old
			for _, i := range result.Used {
				used = append(used, olds[i])
			}
			if err := Apply(b.Context(), io.Discard, &patch, used, Limits{Size: size, TempDir: b.TempDir()}); err != nil {
				b.Fatal(err)
			}
			applying += time.Since(start)
		}
		b.ReportMetric(float64(total), "patch-bytes")
		b.ReportMetric(float64(full), "layer-bytes")
		b.ReportMetric(building.Seconds(), "build-s")
		b.ReportMetric(applying.Seconds(), "apply-s")
	}
}

func logStreams(b *testing.B, result Result, patch []byte) {
	h, err := readHeader(bufio.NewReader(bytes.NewReader(patch)))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%s, %d plain bytes, patch of %d bytes", result.Recipe, result.PlainSize, result.Size)
	for _, s := range h.streams {
		b.Logf("  stream %d, codec %d: %d -> %d bytes", s.id, s.codec, s.plain, s.coded)
	}
}
