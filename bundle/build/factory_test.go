package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/delta"
	"github.com/sallyport-dev/sallyport/internal/fixture"
)

const (
	serverName = "registry.example.com/shop/server:"
	toolName   = "registry.example.com/shop/tool:1.0"
)

// programs holds each version of the server, which is linked once for all tests.
var programs sync.Map

// program is a real Go program, small because every build of these tests lists its packages and packs it.
func program(t *testing.T, version string) []byte {
	t.Helper()
	build, _ := programs.LoadOrStore(version, sync.OnceValues(func() ([]byte, error) { return link(version) }))
	b, err := build.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func link(version string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := "package main\n\nimport \"os\"\n\nfunc main() {\n" +
		strings.Repeat("\tprintln(len(os.Args), \"server "+version+"\")\n", 3+len(version)) + "}\n"
	for name, text := range map[string]string{"go.mod": "module example.test/server\n\ngo 1.26\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "server", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "server"))
}

// factory is a folder with an image layout, manifests and specs.
type factory struct {
	t   *testing.T
	dir string
}

// newFactory makes the images and specs of some versions of a small release: a server, which changes from version to
// version, and a tool that stays.
func newFactory(t *testing.T, versions ...string) *factory {
	t.Helper()
	f := &factory{t: t, dir: t.TempDir()}
	f.layout(toolName, toolImage())
	for _, v := range versions {
		f.layout(serverName+v, serverImage(t, v))
		f.write("manifests-"+v+"/server.yaml", manifests(serverName+v, toolName))
		f.write("release-"+v+".yaml", spec(v, fmt.Sprintf(`  images:
    - {name: %q, source: "oci:./images"}
    - {name: %q, source: "oci:./images"}
  manifests:
    - path: ./manifests-%s
`, serverName+v, toolName, v)))
	}
	return f
}

func spec(version, rest string) string {
	return "apiVersion: sallyport.dev/v1\nkind: Release\nmetadata:\n  name: shop\nspec:\n  version: " + version + "\n" + rest
}

func manifests(server, tool string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: shop}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      initContainers:
        - name: tool
          image: %s
      containers:
        - name: server
          image: %s
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: shop}
data: {most: "3"}
`, tool, server)
}

// must is for fixtures.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func serverImage(t *testing.T, version string) v1.Image {
	base := must(fixture.Layer(
		fixture.File{Path: "etc/os-release", Mode: 0o644, Data: []byte("ID=debian\nVERSION_ID=\"12\"\n")},
		fixture.File{Path: "usr/share/words", Mode: 0o644, Data: words("version")}))
	app := must(fixture.Layer(fixture.File{Path: "server", Mode: 0o755, Data: program(t, version)},
		fixture.File{Path: "etc/version", Mode: 0o644, Data: []byte(version)}))
	return must(fixture.Image("amd64", "/server", base, app))
}

// words is text that does not compress away.
func words(of string) []byte {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "word %d of every %s\n", i*i*7919, of)
	}
	return b.Bytes()
}

func toolImage() v1.Image {
	layer := must(fixture.Layer(fixture.File{Path: "tool", Mode: 0o755, Data: words("tool")}))
	return must(fixture.Image("amd64", "/tool", layer))
}

func (f *factory) layout(ref string, img v1.Image) {
	f.t.Helper()
	if err := fixture.WriteLayout(filepath.Join(f.dir, "images"), ref, img); err != nil {
		f.t.Fatal(err)
	}
}

func (f *factory) path(name string) string { return filepath.Join(f.dir, name) }

func (f *factory) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// config is a build of one version into out/VERSION.tar.
func (f *factory) config(version string, bases ...string) Config {
	f.t.Helper()
	s, err := Load(f.path("release-" + version + ".yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("out/.keep", "")
	f.write("tmp/.keep", "")
	return Config{Spec: s, Bases: bases, Output: f.path("out/" + version + ".tar"), TempDir: f.path("tmp")}
}

// build runs a build that must work and checks that it leaves no rubbish.
func (f *factory) build(cfg Config) *Result {
	f.t.Helper()
	res, err := Run(f.t.Context(), cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.noRubbish()
	return res
}

// noRubbish checks that nothing but results is in the folders that builds write to.
func (f *factory) noRubbish() {
	f.t.Helper()
	for _, dir := range []string{"tmp", "out"} {
		entries, err := os.ReadDir(f.path(dir))
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range entries {
			if n := e.Name(); n != ".keep" && (dir == "tmp" || strings.HasPrefix(n, ".") || strings.Contains(n, "sallyport-build")) {
				f.t.Errorf("%s/%s was left behind", dir, n)
			}
		}
	}
}

// signer makes a key.
func signer(t *testing.T, name string) (*sign.Signer, []byte) {
	t.Helper()
	private, public, err := sign.GenerateKeyPair(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".key")
	if err := os.WriteFile(path, private, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sign.LoadSigner(path, func() ([]byte, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

// opened is a bundle that was read to its end.
type opened struct {
	*bundle.Reader
	blobs map[digest.Digest][]byte
}

func open(t *testing.T, path string) *opened {
	t.Helper()
	f, err := bundle.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := bundle.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	o := &opened{Reader: r, blobs: make(map[digest.Digest][]byte)}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return o
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.blobs[e.Desc.Digest], err = io.ReadAll(e); err != nil {
			t.Fatal(err)
		}
	}
}

// site plays the site: it restores every blob of a bundle, beside what it has already, and checks each.
type site map[digest.Digest][]byte

func (s site) load(t *testing.T, o *opened) {
	t.Helper()
	for _, b := range o.Descriptor().Blobs {
		switch b.Form {
		case bundle.FormFull:
			s[b.Digest] = o.blobs[b.Digest]
		case bundle.FormReuse:
			if s[b.Digest] == nil {
				t.Errorf("blob %s is reused and the site does not have it", b.Digest)
			}
		default:
			s[b.Digest] = s.restore(t, b, o.blobs[b.Payload.Digest])
		}
		if got := digest.FromBytes(s[b.Digest]); got != b.Digest || int64(len(s[b.Digest])) != b.Size {
			t.Errorf("blob %s (%s) came out as %s", b.Digest, b.Form, got)
		}
	}
}

func (s site) restore(t *testing.T, b bundle.Blob, patch []byte) []byte {
	t.Helper()
	var olds []delta.Old
	for _, base := range b.Bases {
		if b.MediaType == bundle.MediaTypePart {
			olds = append(olds, delta.Old{ReaderAt: bytes.NewReader(s[base.Digest]), Size: base.Size})
			continue
		}
		var plain bytes.Buffer
		n, err := delta.Expand(t.Context(), &plain, bytes.NewReader(s[base.Digest]), 1<<30)
		if err != nil || n != base.PlainSize {
			t.Fatalf("base %s expands to %d bytes, %d were promised: %v", base.Digest, n, base.PlainSize, err)
		}
		olds = append(olds, delta.Old{ReaderAt: bytes.NewReader(plain.Bytes()), Size: n})
	}
	var out bytes.Buffer
	if err := delta.Apply(t.Context(), &out, bytes.NewReader(patch), olds, delta.Limits{Size: b.Size, TempDir: t.TempDir()}); err != nil {
		t.Fatalf("blob %s: %v", b.Digest, err)
	}
	return out.Bytes()
}

// forms counts the layers of a release that are larger than a few bytes, by form.
func forms(d *bundle.Descriptor) map[bundle.Form]int {
	layers := make(map[digest.Digest]bool)
	for _, img := range d.Images {
		for _, m := range img.Manifests {
			for _, l := range m.Layers {
				layers[l] = true
			}
		}
	}
	n := make(map[bundle.Form]int)
	for _, b := range d.Blobs {
		if layers[b.Digest] {
			n[b.Form]++
		}
	}
	return n
}
