package build

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// reasoned is an error with a stable word for scripts.
type reasoned interface {
	error
	Reason() string
}

func TestBuildRefuses(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0")).File
	f.write("damaged.tar", strings.Replace(string(read(t, first)), "sha256", "sha265", 1))
	f.write("other.yaml", strings.Replace(string(read(t, f.path("release-2.0.0.yaml"))), "name: shop", "name: inn", 1))
	f.write("low.yaml", strings.Replace(string(read(t, f.path("release-2.0.0.yaml"))), "  images:", "  sequence: 1\n  images:", 1))
	f.write("gone.yaml", spec("2.0.0", "  images:\n    - {name: registry.example.com/x:1, source: \"oci:./nowhere\"}\n"))
	f.write("arm.yaml", strings.Replace(string(read(t, f.path("release-2.0.0.yaml"))), "  images:", "  platforms: [linux/arm64]\n  images:", 1))
	f.write("unnamed.yaml", spec("2.0.0", "  manifests: [{path: ./unnamed}]\n"))
	f.write("unnamed/server.yaml", manifests("127.0.0.1:1/shop/server:1.0.0", "127.0.0.1:1/shop/tool:1.0.0"))
	f.write("badref/server.yaml", manifests("Not A Name", toolName))
	f.write("badref.yaml", spec("2.0.0", "  manifests: [{path: ./badref}]\n"))
	f.write("unsigned.yaml", spec("2.0.0", "  images:\n    - {name: \""+toolName+"\", source: \"oci:./images\", key: team.pub}\n"))
	_, public := signer(t, "team")
	f.write("team.pub", string(public))
	for name, c := range map[string]struct {
		spec, base, reason, says string
	}{
		"sequence not above the base's": {"low.yaml", first, "spec", "low.yaml:7: spec.sequence 1 is not above that of the base 1.0.0, which is 1"},
		"base of another release":       {"other.yaml", first, "usage", "it is the release shop, not inn"},
		"base is missing":               {"release-2.0.0.yaml", f.path("missing.tar"), "usage", "missing.tar"},
		"base is damaged":               {"release-2.0.0.yaml", f.path("damaged.tar"), "format", "damaged.tar"},
		"base is no lock file":          {"release-2.0.0.yaml", f.path("images/index.json"), "usage", "is not a lock file"},
		"base layout is no release":     {"release-2.0.0.yaml", f.path("images"), "usage", "holds no release"},
		"base folder is empty":          {"release-2.0.0.yaml", f.path("manifests-1.0.0"), "usage", "holds no bundle of shop"},
		"base registry is down":         {"release-2.0.0.yaml", "127.0.0.1:1/shop/release:1", "network", "127.0.0.1:1/shop/release:1"},
		"source is missing":             {"gone.yaml", "", "image", "gone.yaml:8: image registry.example.com/x:1"},
		"platform is missing":           {"arm.yaml", "", "image", "linux/arm64"},
		// Which of its two images is asked for first is chance.
		"registry is down":         {"unnamed.yaml", "", "network", "127.0.0.1:1 refuses connections: nothing listens there"},
		"reference does not parse": {"badref.yaml", "", "image", "badref/server.yaml:14"},
		"image is not signed":      {"unsigned.yaml", "", "unsigned", "unsigned.yaml:8: image " + toolName},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(f.path(c.spec))
			if err != nil {
				t.Fatal(err)
			}
			cfg := f.config("2.0.0")
			cfg.Spec, cfg.Output = s, f.path("out/refused.tar")
			if c.base != "" {
				cfg.Bases = []string{c.base}
			}
			res, err := Run(t.Context(), cfg)
			var r reasoned
			if !errors.As(err, &r) {
				t.Fatalf("got %v, %v", res, err)
			}
			if r.Reason() != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q (%s), want %q (%s)", err, r.Reason(), c.says, c.reason)
			}
			f.absent("out/refused.tar")
			f.noRubbish()
		})
	}
}

// absent checks that a build has not left its output.
func (f *factory) absent(name string) {
	f.t.Helper()
	for _, n := range []string{name, name + lockSuffix, name + ".001"} {
		if _, err := os.Lstat(f.path(n)); !errors.Is(err, os.ErrNotExist) {
			f.t.Errorf("%s is there (%v)", n, err)
		}
	}
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0")).File
	key, _ := signer(t, "release")
	labels := map[string]bool{}
	cfg := f.config("2.0.0", first)
	cfg.Signers = append(cfg.Signers, key)
	cfg.Output = f.path("out/interrupted.tar")
	cfg.Observe = func(e Event) { labels[e.Label] = true }
	f.build(cfg)
	earlier := read(t, cfg.Output)
	for label := range labels {
		for _, exists := range []bool{true, false} {
			if !exists {
				if err := errors.Join(os.Remove(cfg.Output), os.Remove(cfg.Output+lockSuffix)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			var once sync.Once
			cfg.Observe = func(e Event) {
				if e.Label == label {
					once.Do(cancel)
				}
			}
			if res, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled at %s: got %v, %v", label, res, err)
			}
			f.noRubbish()
			if exists {
				if got := read(t, cfg.Output); string(got) != string(earlier) {
					t.Errorf("cancelled at %s: the earlier output was touched", label)
				}
				continue
			}
			f.absent("out/interrupted.tar")
			f.write("out/interrupted.tar", string(earlier))
			f.write("out/interrupted.tar"+lockSuffix, "{}")
		}
	}
	if len(labels) < 5 {
		t.Errorf("only %v were seen", labels)
	}
}

func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root on Linux, to mount a small file system")
	}
	f := newFactory(t, "1.0.0")
	cfg := f.config("1.0.0")
	for name, c := range map[string]struct{ out, tmp string }{
		"output": {"small", "tmp"},
		"work":   {"out", "small"},
	} {
		t.Run(name, func(t *testing.T) {
			f.write("small/.keep", "")
			if err := syscall.Mount("tmpfs", f.path("small"), "tmpfs", 0, "size=256k"); err != nil {
				t.Fatalf("mounting a small file system: %v", err)
			}
			defer func() {
				if err := syscall.Unmount(f.path("small"), 0); err != nil {
					t.Error(err)
				}
			}()
			cfg.Output, cfg.TempDir = f.path(c.out+"/full.tar"), f.path(c.tmp)
			if res, err := Run(t.Context(), cfg); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("got %v, %v", res, err)
			}
			left, err := os.ReadDir(f.path("small"))
			if err != nil || len(left) != 0 {
				t.Errorf("left on the full disk: %v %v", left, err)
			}
			f.absent(c.out + "/full.tar")
			f.noRubbish()
		})
	}
}

func TestOutputFolderIsMissing(t *testing.T) {
	f := newFactory(t, "1.0.0")
	cfg := f.config("1.0.0")
	cfg.Output = f.path("nowhere/x.tar")
	if _, err := Run(t.Context(), cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	cfg.Output, cfg.Split = f.path("out/x.tar"), -1
	if _, err := Run(t.Context(), cfg); reasonOf(err, "") != "usage" {
		t.Errorf("parts of -1 bytes: %v", err)
	}
	cfg.Output, cfg.Split = f.dir, 0
	if _, err := Run(t.Context(), cfg); reasonOf(err, "") != "usage" || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("got %v", err)
	}
	f.noRubbish()
}

func TestLayerThatNoEncoderMakes(t *testing.T) {
	f := newFactory(t)
	name := "registry.example.com/strange:1"
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	content := program(t, "tool")[:300_000]
	if err := w.WriteHeader(&tar.Header{Name: "tool", Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.layout(name, must(fixture.Image("amd64", "/tool", static.NewLayer(patchwork(plain.Bytes()), types.OCILayer))))
	f.write("release-1.yaml", spec("1.0.0", "  images:\n    - {name: \""+name+"\", source: \"oci:./images:"+name+"\"}\n"))
	res := f.build(f.config("1"))
	want := "no recipe for its compression"
	if got := forms(res.Descriptor); got[bundle.FormFull] != 1 || len(res.Images[0].Notes) != 1 || res.Images[0].Notes[0] != want {
		t.Errorf("travels as %v, notes %q", got, res.Images[0].Notes)
	}
	site{}.load(t, open(t, res.File))
}

// patchwork is one gzip member of stored blocks, with ones where every encoder fills up a byte with zeros.
func patchwork(plain []byte) []byte {
	out := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	le := binary.LittleEndian
	for rest := plain; len(rest) > 0; {
		n := min(len(rest), 60_000)
		head := byte(0xf8)
		if n == len(rest) {
			head |= 1 // the last block
		}
		out = le.AppendUint16(le.AppendUint16(append(out, head), uint16(n)), ^uint16(n))
		out, rest = append(out, rest[:n]...), rest[n:]
	}
	return le.AppendUint32(le.AppendUint32(out, crc32.ChecksumIEEE(plain)), uint32(len(plain)))
}

func TestLayerThatDoesNotExpand(t *testing.T) {
	b := &builder{work: t.TempDir()}
	if err := os.MkdirAll(b.patches(), 0o700); err != nil {
		t.Fatal(err)
	}
	whole := patchwork(program(t, "tool")[:100_000])
	for _, raw := range [][]byte{whole[:len(whole)/2], append([]byte{0x1f, 0x8b, 8}, whole[10:]...)} {
		path := filepath.Join(t.TempDir(), "layer")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x := &blob{desc: ocispec.Descriptor{Size: int64(len(raw))}}
		_, err = b.diff(t.Context(), x, file, nil, 1, nil)
		if err := errors.Join(b.keepFull(t.Context(), x, err), file.Close()); err != nil {
			t.Fatal(err)
		}
		if x.out.Note != "it does not expand" {
			t.Errorf("note %q", x.out.Note)
		}
	}
	if left, err := os.ReadDir(b.work); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
