package sbom

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const created = "2026-03-04T05:06:07Z"

func TestGenerate(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // whoever asks the network fails
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	img := testImage(t, gzipped(t, rootFS(t)), ocispec.MediaTypeImageLayerGzip)
	docs, err := Generate(t.Context(), img, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 2 || docs[0].Format != FormatSPDX || docs[1].Format != FormatCycloneDX {
		t.Fatalf("got %d documents %+v, want SPDX and CycloneDX", len(docs), docs)
	}
	for _, d := range docs {
		// two Debian packages, the Go program and its standard library
		if d.Packages != 4 {
			t.Errorf("%s: %d packages, want 4", d.Format, d.Packages)
		}
		if n := len(expanded(t, d)); n > 20_000 {
			t.Errorf("%s: %d bytes for 4 packages: are files listed?", d.Format, n)
		}
	}
	checkSPDX(t, expanded(t, docs[0]), img)
	checkCycloneDX(t, expanded(t, docs[1]))
}

func checkSPDX(t *testing.T, raw []byte, img Image) {
	var doc struct {
		SPDXVersion, DocumentNamespace string
		CreationInfo                   struct{ Created string }
		Packages                       []struct{ Name, VersionInfo string }
		Files                          []any
		Relationships                  []struct{ RelationshipType string }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.SPDXVersion != "SPDX-2.3" || doc.CreationInfo.Created != created {
		t.Errorf("version %q, created %q", doc.SPDXVersion, doc.CreationInfo.Created)
	}
	if !strings.HasPrefix(doc.DocumentNamespace, namespace+digest.FromBytes(img.Manifest).Encoded()+"/") {
		t.Errorf("namespace %q does not name the image", doc.DocumentNamespace)
	}
	versions := map[string]string{}
	for _, p := range doc.Packages {
		versions[p.Name] = p.VersionInfo
	}
	for name, version := range map[string]string{"libssl3": "3.0.17-1~deb12u2", "openssl": "3.0.17-1~deb12u2"} {
		if versions[name] != version {
			t.Errorf("package %s has version %q, want %q", name, versions[name], version)
		}
	}
	if versions["example.test/hello"] == "" || versions["stdlib"] == "" {
		t.Errorf("the Go program is missing: %v", versions)
	}
	if len(doc.Files) != 0 {
		t.Errorf("%d files are listed", len(doc.Files))
	}
}

func checkCycloneDX(t *testing.T, raw []byte) {
	var doc struct {
		BOMFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Type string }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.BOMFormat != "CycloneDX" || doc.SpecVersion == "" || doc.Metadata.Timestamp != created {
		t.Errorf("format %q %q, timestamp %q", doc.BOMFormat, doc.SpecVersion, doc.Metadata.Timestamp)
	}
	if doc.Metadata.Component.Name != "registry.example.com/team/hello" {
		t.Errorf("describes %q", doc.Metadata.Component.Name)
	}
	if len(doc.SerialNumber) != len("urn:uuid:01234567-89ab-cdef-0123-456789abcdef") {
		t.Errorf("serial number %q", doc.SerialNumber)
	}
	for _, c := range doc.Components {
		if c.Type == "file" {
			t.Errorf("file %q is listed", c.Name)
		}
	}
}

func TestGenerateIsReproducible(t *testing.T) {
	img := testImage(t, gzipped(t, rootFS(t)), ocispec.MediaTypeImageLayerGzip)
	first, err := Generate(t.Context(), img, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{t.Context(), prepared, prepared} {
		again, err := Generate(ctx, img, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for i := range first {
			if !bytes.Equal(first[i].Compressed, again[i].Compressed) {
				t.Fatalf("%s differs:\n%s\n%s", first[i].Format, expanded(t, first[i]), expanded(t, again[i]))
			}
		}
	}
}

func TestGenerateLayerForms(t *testing.T) {
	plain := rootFS(t)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, img := range map[string]Image{
		"zstd":  testImage(t, enc.EncodeAll(plain, nil), ocispec.MediaTypeImageLayerZstd),
		"plain": testImage(t, plain, ocispec.MediaTypeImageLayer),
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Generate(t.Context(), img, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if docs[0].Packages != 4 {
				t.Errorf("%d packages, want 4", docs[0].Packages)
			}
		})
	}
}

func TestGenerateFails(t *testing.T) {
	good := testImage(t, gzipped(t, rootFS(t)), ocispec.MediaTypeImageLayerGzip)
	pulled := errors.New("the registry hung up")
	broken := good
	broken.Open = func(context.Context, ocispec.Descriptor) (io.ReadCloser, error) { return nil, pulled }
	chart := testImage(t, []byte("chart"), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
	notJSON := good
	notJSON.Manifest = []byte("<html>")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		img  Image
		is   error
		says string
	}{
		{"layer cannot be read", t.Context(), broken, pulled, "layers"},
		{"no file system", t.Context(), chart, ErrNotContainer, "helm"},
		{"bad manifest", t.Context(), notJSON, nil, "image manifest"},
		{"cancelled", cancelled, good, context.Canceled, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Generate(c.ctx, c.img, dir)
			if err == nil {
				t.Fatal("no error")
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %q is not %q", err, c.is)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestCreatedTime(t *testing.T) {
	for config, want := range map[string]string{
		`{"created":"2026-03-04T06:06:07.25+01:00"}`: created,
		`{}`:                                 "1970-01-01T00:00:00Z",
		`{"created":"0001-01-01T00:00:00Z"}`: "1970-01-01T00:00:00Z",
		`{"created":5}`:                      "1970-01-01T00:00:00Z",
	} {
		if got := createdTime([]byte(config)); got.Format("2006-01-02T15:04:05Z07:00") != want {
			t.Errorf("%s: %v, want %s", config, got, want)
		}
	}
}

// rootFS is a small root file system: Debian's package list and a real Go program.
func rootFS(t *testing.T) []byte {
	t.Helper()
	status := ""
	for _, name := range []string{"libssl3", "openssl"} {
		status += fmt.Sprintf("Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.17-1~deb12u2\n"+
			"Maintainer: Debian OpenSSL Team\nDescription: text\n\n", name)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, content []byte) {
		t.Helper()
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add("etc/os-release", []byte("ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"))
	add("var/lib/dpkg/status", []byte(status))
	add("var/lib/dpkg/info/openssl.list", []byte("/usr/bin/openssl\n"))
	add("usr/bin/openssl", []byte("not a program"))
	add("hello", helloProgram(t))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func helloProgram(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.test/hello\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() { println(\"hello\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", "hello", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// testImage wraps one layer. The config has no diff IDs: syft does not need them, and real images lie about them.
func testImage(t *testing.T, layer []byte, mediaType string) Image {
	t.Helper()
	config := []byte(`{"created":"` + created + `","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}`)
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(layer), Size: int64(len(layer))}
	m := ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers:    []ocispec.Descriptor{desc},
	}
	m.SchemaVersion = 2
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return Image{Repository: "registry.example.com/team/hello", Manifest: raw, Config: config,
		Open: func(_ context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
			if d.Digest != desc.Digest {
				return nil, fmt.Errorf("asked for %s", d.Digest)
			}
			return io.NopCloser(bytes.NewReader(layer)), nil
		}}
}

func expanded(t *testing.T, d Document) []byte {
	t.Helper()
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(d.Compressed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
