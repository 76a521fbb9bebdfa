package sbom

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchore/stereoscope/pkg/file"
	"github.com/anchore/stereoscope/pkg/image"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// tarOf packs files, names and contents by turns.
func tarOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for k := 0; k < len(files); k += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[k], Mode: 0o644, Size: int64(len(files[k+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[k+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// jarOf packs a jar, names and contents by turns.
func jarOf(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for k := 0; k < len(files); k += 2 {
		f, err := w.Create(files[k])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[k+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// library is a jar that is one package.
func library(t *testing.T, name string, more ...string) string {
	t.Helper()
	return jarOf(t, append([]string{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nImplementation-Title: " + name + "\nImplementation-Version: 1.2.3\n"}, more...)...)
}

// layersImage is an image of several layers, whose media types need not be true.
func layersImage(t *testing.T, mediaType string, layers ...[]byte) Image {
	t.Helper()
	img := testImage(t, nil, mediaType)
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(img.Config), Size: int64(len(img.Config))}}
	m.SchemaVersion = 2
	have := make(map[digest.Digest][]byte)
	for _, l := range layers {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(l), Size: int64(len(l))}
		have[d.Digest] = l
		m.Layers = append(m.Layers, d)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	img.Manifest = raw
	img.Open = func(_ context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
		b, ok := have[d.Digest]
		if !ok {
			return nil, fmt.Errorf("asked for %s", d.Digest)
		}
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return img
}

func zstdOf(t *testing.T, b []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return enc.EncodeAll(b, nil)
}

// Whatever a layer is, its image can be carried as it is, so no SBOM may stop a build: opencontainers/umoci#358 (zeros
// after gzip), stargz (many members), moby/moby#36370 (media types that lie), empty layers, layers that occur twice.
func TestLayersOfAllKinds(t *testing.T) {
	lib := tarOf(t, "app/lib.jar", library(t, "good"))
	packed := gzipped(t, lib)
	other := gzipped(t, tarOf(t, "other", noise(5000)))
	ctx := prepared(t)
	for name, c := range map[string]struct {
		mediaType string
		layers    [][]byte
		packages  int
		skipped   string
	}{
		"zeros after gzip":     {ocispec.MediaTypeImageLayerGzip, [][]byte{append(bytes.Clone(packed), make([]byte, 512)...)}, 1, ""},
		"garbage after gzip":   {ocispec.MediaTypeImageLayerGzip, [][]byte{append(bytes.Clone(packed), "more"...)}, 1, ""},
		"two members":          {ocispec.MediaTypeImageLayerGzip, [][]byte{append(gzipped(t, lib[:1000]), gzipped(t, lib[1000:])...)}, 1, ""},
		"gzip that is plain":   {ocispec.MediaTypeImageLayerGzip, [][]byte{lib}, 1, ""},
		"gzip that is zstd":    {ocispec.MediaTypeImageLayerGzip, [][]byte{zstdOf(t, lib)}, 1, ""},
		"zstd that is gzip":    {ocispec.MediaTypeImageLayerZstd, [][]byte{packed}, 1, ""},
		"plain that is gzip":   {ocispec.MediaTypeImageLayer, [][]byte{packed}, 1, ""},
		"foreign":              {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", [][]byte{packed}, 1, ""},
		"zero bytes":           {ocispec.MediaTypeImageLayerGzip, [][]byte{{}, packed}, 1, ""},
		"empty tar":            {ocispec.MediaTypeImageLayerGzip, [][]byte{gzipped(t, nil), gzipped(t, tarOf(t)), packed}, 1, ""},
		"twice":                {ocispec.MediaTypeImageLayerGzip, [][]byte{packed, packed}, 1, ""},
		"no layers":            {ocispec.MediaTypeImageLayerGzip, nil, 0, ""},
		"tar without its end":  {ocispec.MediaTypeImageLayer, [][]byte{lib[:len(lib)-1024]}, 1, ""},
		"no tar":               {ocispec.MediaTypeImageLayerGzip, [][]byte{gzipped(t, []byte(strings.Repeat("no tar", 500))), packed}, 1, "invalid tar header"},
		"xz":                   {ocispec.MediaTypeImageLayerGzip, [][]byte{[]byte("\xfd7zXZ\x00 and more"), packed}, 1, "compressed in a way"},
		"cut in a file":        {ocispec.MediaTypeImageLayer, [][]byte{lib, tarOf(t, "b", strings.Repeat("b", 5000))[:3000]}, 1, "unexpected EOF"},
		"cut in gzip":          {ocispec.MediaTypeImageLayerGzip, [][]byte{packed, other[:len(other)/2]}, 1, "unexpected EOF"},
		"a jar that is no zip": {ocispec.MediaTypeImageLayer, [][]byte{tarOf(t, "x.jar", "no zip", "lib.jar", library(t, "good"))}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Generate(ctx, layersImage(t, c.mediaType, c.layers...), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			checkSkipped(t, docs, c.skipped)
			if docs[0].Packages != c.packages {
				t.Errorf("%d packages, want %d: %s", docs[0].Packages, c.packages, expanded(t, docs[0]))
			}
		})
	}
}

// prepared is a context in which licences are known already: a test makes many documents.
func prepared(t *testing.T) context.Context {
	t.Helper()
	ctx, err := Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// noise is text that gzip does not shorten much, the same every time.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // it never fails
	return string(b)
}

// checkSkipped wants both documents to tell what was not looked into.
func checkSkipped(t *testing.T, docs []Document, want string) {
	t.Helper()
	if all := strings.Join(docs[0].Skipped, "\n"); want == "" && all != "" || !strings.Contains(all, want) {
		t.Errorf("skipped %q, want %q", all, want)
	}
	if want == "" {
		return
	}
	var spdx struct{ Comment string }
	if err := json.Unmarshal(expanded(t, docs[0]), &spdx); err != nil || !strings.Contains(spdx.Comment, "Not looked into:") || !strings.Contains(spdx.Comment, want) {
		t.Errorf("SPDX comments %q (%v)", spdx.Comment, err)
	}
	var cdx struct {
		Metadata struct {
			Properties []struct{ Name, Value string }
		}
		Compositions []struct{ Aggregate string }
	}
	if err := json.Unmarshal(expanded(t, docs[1]), &cdx); err != nil || len(cdx.Compositions) != 1 || cdx.Compositions[0].Aggregate != "incomplete" {
		t.Errorf("CycloneDX has the compositions %v (%v)", cdx.Compositions, err)
	}
	if n := len(cdx.Metadata.Properties); n != len(docs[0].Skipped) || !strings.Contains(fmt.Sprint(cdx.Metadata.Properties), want) {
		t.Errorf("CycloneDX has the properties %v", cdx.Metadata.Properties)
	}
}

// small are limits that a test can reach.
func small() limits {
	l := defaultLimits()
	l.unpacked, l.file, l.depth, l.held = 1<<20, 200<<10, 20, 5000
	l.archive = archiveLimits{unpacked: 300 << 10, text: 50 << 10, entries: 200, depth: 3}
	return l
}

// Zip bombs and archives in archives (anchore/syft#4806, CVE-2026-33481 of the same), huge and countless files.
func TestHostileImages(t *testing.T) {
	ctx := prepared(t)
	good := library(t, "good")
	zeros := strings.Repeat("\x00", 400<<10)
	nested := library(t, "core")
	for range 6 {
		nested = library(t, "shell", "lib/inner.jar", nested)
	}
	entries := make([]string, 0, 1000)
	for k := range 500 {
		entries = append(entries, fmt.Sprintf("e%d", k), "")
	}
	many := make([]string, 0, 2000)
	for k := range 1000 {
		many = append(many, fmt.Sprintf("f%d/x", k), "")
	}
	big := make([]string, 0, 20)
	for k := range 10 {
		big = append(big, fmt.Sprintf("big%d", k), strings.Repeat("x", 150<<10))
	}
	for name, c := range map[string]struct {
		files   []string
		skipped string
	}{
		"bomb in a jar":        {[]string{"bomb.jar", jarOf(t, "a", zeros), "good.jar", good}, "bomb.jar: it unpacks to more than"},
		"bomb in a jar in one": {[]string{"bomb.jar", jarOf(t, "x.jar", jarOf(t, "a", zeros)), "good.jar", good}, "bomb.jar: it unpacks to more than"},
		"bomb of parts":        {[]string{"bomb.jar", jarOf(t, "x/a", zeros[:150<<10], "x/b", zeros[:150<<10], "x/c", zeros[:150<<10]), "good.jar", good}, "bomb.jar: it unpacks"},
		"huge manifest":        {[]string{"bomb.jar", jarOf(t, "META-INF/MANIFEST.MF", zeros[:100<<10]), "good.jar", good}, "META-INF/MANIFEST.MF"},
		"licences":             {[]string{"bomb.jar", jarOf(t, "META-INF/LICENSE", zeros[:30<<10], "META-INF/LICENSE.txt", zeros[:30<<10]), "good.jar", good}, "META-INF/LICENSE.txt"},
		"jar in jar in jar":    {[]string{"deep.war", nested, "good.jar", good}, "deep.war: archives lie more than 3 deep"},
		"countless entries":    {[]string{"many.jar", jarOf(t, entries...), "good.jar", good}, "many.jar: it has more than 200 files"},
		"huge file":            {[]string{"huge", zeros, "good.jar", good}, "huge: it has 409600 bytes"},
		"deep folders":         {[]string{strings.Repeat("d/", 50) + "x", "", "good.jar", good}, "more than 20 folders deep"},
		"huge layer":           {append([]string{"good.jar", good}, big...), "the image unpacks to too much"},
		"countless files":      {append([]string{"good.jar", good}, many...), "the image unpacks to too much"},
	} {
		t.Run(name, func(t *testing.T) {
			img := layersImage(t, ocispec.MediaTypeImageLayerGzip, gzipped(t, tarOf(t, c.files...)))
			dir := t.TempDir()
			docs, err := generate(ctx, img, dir, small())
			if err != nil {
				t.Fatal(err)
			}
			checkSkipped(t, docs, c.skipped)
			if docs[0].Packages != 1 || !strings.Contains(string(expanded(t, docs[0])), `"good"`) {
				t.Errorf("%d packages, want the good one alone: %s", docs[0].Packages, expanded(t, docs[0]))
			}
			if name != "bomb in a jar" {
				return
			}
			again, err := generate(ctx, img, dir, small())
			if err != nil || !bytes.Equal(docs[0].Compressed, again[0].Compressed) {
				t.Errorf("another run gives another document (%v)", err)
			}
		})
	}
}

// A symbolic link that leads through two others, they through four, and so on, and links that go round in circles.
func TestLinksThatLeadNowhere(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	link := func(name, to string) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}); err != nil {
			t.Fatal(err)
		}
	}
	for k := range 60 {
		link(fmt.Sprintf("l%d", k), fmt.Sprintf("l%d/l%d", k+1, k+1))
	}
	link("round", "about")
	link("about", "round")
	link("self", "self")
	link("usr/lib", "../usr/lib")
	link("var/lib/dpkg", "../../round")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lim := small()
	lim.time = 30 * time.Second
	began := time.Now()
	docs, err := generate(t.Context(), layersImage(t, ocispec.MediaTypeImageLayer, b.Bytes(), tarOf(t, "good.jar", library(t, "good"))), t.TempDir(), lim)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("took %v", took)
	}
	if docs[0].Packages != 1 && len(docs[0].Skipped) == 0 {
		t.Errorf("%d packages, and nothing is said of it", docs[0].Packages)
	}
}

func TestSearchThatTakesTooLong(t *testing.T) {
	lim := small()
	lim.time = time.Nanosecond
	docs, err := generate(t.Context(), layersImage(t, ocispec.MediaTypeImageLayer, tarOf(t, "good.jar", library(t, "good"))), t.TempDir(), lim)
	if err != nil {
		t.Fatal(err)
	}
	checkSkipped(t, docs, "the image: no packages are listed: looking for them took more than 1ns")
	if docs[0].Packages != 0 {
		t.Errorf("%d packages", docs[0].Packages)
	}
}

// Layers are unpacked once: stereoscope finds them where it would have put them.
func TestLayersAreNotCopied(t *testing.T) {
	img := layersImage(t, ocispec.MediaTypeImageLayer, tarOf(t, "a", "b"), tarOf(t, "c", "d"))
	img.Config = []byte(`{"rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("1", 64) + `","sha256:` + strings.Repeat("2", 64) + `"]}}`)
	dir := t.TempDir()
	m := parseManifest(t, img)
	var left skipped
	files, err := unpack(t.Context(), m, img, dir, defaultLimits(), &left)
	if err != nil {
		t.Fatal(err)
	}
	core, err := newScanned(m, img, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := image.New(core, file.NewTempDirGenerator("test"), dir).Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	have, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(have) != len(files) {
		t.Errorf("in the folder are %v, not only %v (%v)", have, files, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "0-sha256:"+strings.Repeat("1", 64))); err != nil {
		t.Error(err)
	}
}

func parseManifest(t *testing.T, img Image) *v1.Manifest {
	t.Helper()
	m, err := v1.ParseManifest(bytes.NewReader(img.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
