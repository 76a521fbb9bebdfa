//go:build !site

package cmd

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
	"github.com/sallyport-dev/sallyport/bundle/sign"
)

const (
	siteRSS     = 96 << 20         // bytes: what a small site can spare
	hostileRSS  = 32 << 20         // bytes: what a hostile bundle may take beyond what the program takes to print its help
	hostileTime = 60 * time.Second // on a loaded machine; none takes more than a few seconds
)

// entries makes a tar as a bundle is one, of names and bodies in turn.
func entries(t testing.TB, list ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(list); i += 2 {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: list[i], Mode: 0o644, Size: int64(len(list[i+1])), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(list[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const ociLayout = `{"imageLayoutVersion":"1.0.0"}`

func blobEntry(body string) []string {
	return []string{"blobs/sha256/" + digest.FromString(body).Encoded(), body}
}

func describeBlob(mediaType, body string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":"%s","size":%d`, mediaType, digest.FromString(body), len(body))
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	indexStart  = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`
)

// withIndex, withManifest and withDescriptor are bundles whose one document is what it is.
func withIndex(t testing.TB, index string) []byte {
	return entries(t, "oci-layout", ociLayout, "index.json", index)
}

func withManifest(t testing.TB, manifest string, more ...string) []byte {
	index := indexStart + describeBlob(ociManifest, manifest) + `,"artifactType":"` + bundle.ArtifactType + `"}]}`
	return entries(t, slices.Concat([]string{"oci-layout", ociLayout, "index.json", index}, blobEntry(manifest), more)...)
}

func withDescriptor(t testing.TB, descriptor string) []byte {
	return withManifest(t, `{"schemaVersion":2,"config":`+describeBlob(bundle.MediaTypeDescriptor, descriptor)+"}}", blobEntry(descriptor)...)
}

// fill repeats text between a start and an end, up to size bytes.
func fill(start, text, end string, size int) string {
	return start + strings.Repeat(text, max(0, (size-len(start)-len(end))/len(text))) + end
}

const descriptorStart = `{"apiVersion":"sallyport.dev/v1","kind":"Release","name":"x","version":"1.0.0","sequence":1,`

// hostile are bundles that nobody signed, each made to take much memory or time for few bytes. Their like for other readers of
// JSON, YAML, zstd and tar: CVE-2022-21698's cousins in decoders, CVE-2019-11253 (Kubernetes, alias bombs), CVE-2022-28948
// (yaml.v3), CVE-2021-29482 (compressed streams), GHSA-259w-8hf6-59c2 (containerd, unbounded image documents).
func hostile(t *testing.T) map[string]func(v string) []byte {
	const d, m = bundle.MaxDescriptorSize, bundle.MaxManifestSize
	return map[string]func(v string) []byte{
		realSize: func(v string) []byte { return large(t, v) },
		"tiny entries": func(string) []byte {
			return entries(t, slices.Repeat([]string{"oci-layout", ""}, 100_000)...)
		},
		"index of nothings": func(_ string) []byte { return withIndex(t, fill(indexStart, "{},", "{}]}", m)) },
		"index of lists":    func(_ string) []byte { return withIndex(t, fill(indexStart, "[", "", m)) },
		"index of notes": func(_ string) []byte {
			return withIndex(t, fill(indexStart+`{"annotations":{`, `"a":"",`, `"b":""}}]}`, m))
		},
		"manifest of layers":  func(_ string) []byte { return withManifest(t, fill(`{"layers":[`, "{},", "{}]}", m)) },
		"manifest of configs": func(_ string) []byte { return withManifest(t, fill(`{`, `"config":{"size":1},`, `"Config":{}}`, m)) },
		"descriptor of blobs": func(_ string) []byte { return withDescriptor(t, fill(descriptorStart+`"blobs":[`, "{},", "{}]}", d)) },
		"descriptor of sparse blobs": func(string) []byte {
			return withDescriptor(t, fill(descriptorStart+`"blobs":[`, "{"+strings.Repeat(" ", 62)+"},", "{}]}", d))
		},
		"descriptor of labels": func(string) []byte {
			var b strings.Builder
			for i := 0; b.Len() < d-200; i++ {
				fmt.Fprintf(&b, `"%07d":"abcd",`, i)
			}
			return withDescriptor(t, descriptorStart+`"requires":{"labels":{`+b.String()+`"x":"y"}}}`)
		},
		"descriptor of texts": func(_ string) []byte {
			return withDescriptor(t, fill(descriptorStart+`"platforms":[`, `"",`, `""]}`, d))
		},
		"descriptor of spaces": func(_ string) []byte { return withDescriptor(t, fill(descriptorStart, " ", `"name":1}`, d)) },
		"one long text":        func(_ string) []byte { return withDescriptor(t, fill(`{"apiVersion":"`, `\u0000`, `"}`, d)) },
		"many long texts": func(_ string) []byte {
			return withDescriptor(t, fill(descriptorStart+`"name":"`, `\u0000`, `"}`, 60_000))
		},
		"expressions":                  func(_ string) []byte { return withDescriptor(t, expressions()) },
		"valid, as large as it may be": func(_ string) []byte { return manyBlobs(19_000).Bytes(t, bundle.PredicateSignature) },
		"listed again and again":       func(_ string) []byte { return listed(t) },
		"many attestations":            func(_ string) []byte { return attestations(t) },
		"window of 64 MiB":             func(v string) []byte { return withSBOM(t, v, window(64<<20)) },
		"package of references": func(v string) []byte {
			return withSBOM(t, v, packed(t, fill(`{"packages":[{"name":"a","externalRefs":[`, "{},", "{}]}]}", 64<<20)))
		},
		"very many packages":      func(v string) []byte { return withSBOM(t, v, packed(t, manyPackages(1_000_000, v))) },
		asManyPackages:            func(v string) []byte { return withSBOM(t, v, packed(t, manyPackages(110_000, v))) },
		"SBOM that has no end":    func(v string) []byte { return withSBOM(t, v, packed(t, fill(`{"files":[`, `1,`, `1]`, 256<<20))) },
		"packages of many images": func(v string) []byte { return sharedPackages(t, v) },
		"very many objects":       func(v string) []byte { return withObjects(t, v, strings.Repeat("kind: a\n---\n", 2_000_000), 1) },
		"many objects":            func(v string) []byte { return withObjects(t, v, numbered(10_000, v), bundle.MaxObjects) },
		"object of lists":         func(v string) []byte { return withObjects(t, v, fill("kind: a\nx: [", "a,", "a]\n", 3<<20-100), 1) },
		"object of maps": func(v string) []byte {
			return withObjects(t, v, "kind: a\nx: "+strings.Repeat("{a: ", 9_000)+strings.Repeat("}", 9_000)+"\n", 1)
		},
		"object of fields": func(v string) []byte {
			return withObjects(t, v, "kind: a\nx: ["+strings.Repeat("{a: b},", 12_000)+"]\n", 1)
		},
		"aliases":   func(v string) []byte { return withObjects(t, v, aliases(), 1) },
		"long keys": func(v string) []byte { return withObjects(t, v, longKeys(), 1) },
	}
}

// hostileVerbs are what people do with a bundle before anybody has vouched for it.
func hostileVerbs(file, other, pub, site string) [][]string {
	return [][]string{
		{"verify", file, "--key", pub},
		{"inspect", file},
		{"inspect", file, "--sbom", "--files", "--json"},
		{"diff", file, other, "--json"},
		{"apply", file, "--site", site},
	}
}

// TestHostileBundles runs the program itself on each, and asks the kernel what it took. How much of a program's file counts as
// resident is the kernel's choice (a large folio of the page cache is mapped whole), and the whole program's is larger than the
// limit: so the site's program has to stay below what a site can spare, and the whole program near what it takes to do nothing. The
// whole one reads every third bundle; with $SALLYPORT_MATRIX=all every one.
func TestHostileBundles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sites run Linux, and others count memory otherwise")
	}
	dir := t.TempDir()
	pub := hostileKey(t, dir)
	peak := shipped(t, dir, "peak", "../internal/fixture/peak")
	small := measured{peak: peak, path: shipped(t, dir, "sallyport-site", "..", "-tags", "site"), limit: siteRSS}
	whole := measured{peak: peak, path: shipped(t, dir, "sallyport", "..")}
	idle, _ := whole.rss(t, filepath.Join(dir, "idle"), "--help")
	whole.limit = idle + hostileRSS
	work := make(chan func())
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	sites := 0
	bundles := hostile(t)
	for n, name := range slices.Sorted(maps.Keys(bundles)) {
		bundleOf := bundles[name]
		var files []string
		for _, v := range []string{"1", "2"} {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+"-"+v+".tar")
			if err := os.WriteFile(file, bundleOf(v), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		programs := []measured{small}
		if n%3 == 0 || os.Getenv("SALLYPORT_MATRIX") == "all" {
			programs = append(programs, whole)
		}
		for _, m := range programs {
			// A site of its own for each: those of others may be locked at the moment.
			sites++
			site := hostileSite(t, filepath.Join(dir, fmt.Sprintf("site-%d", sites)), pub)
			for i, args := range hostileVerbs(files[0], files[1], pub, site) {
				work <- func() { m.underLimit(t, name, fmt.Sprintf("%s.%d.%s.out", files[0], i, filepath.Base(m.path)), args) }
			}
		}
	}
	close(work)
	all.Wait()
}

// hostileKey makes the public key of a key that signed nothing.
func hostileKey(t *testing.T, dir string) (path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sign.New("release", key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signer.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "release.pub")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostileSite makes the site.yaml of a site, whose folders begin with prefix, that trusts a key.
func hostileSite(t *testing.T, prefix, pub string) (path string) {
	t.Helper()
	path = prefix + ".site.yaml"
	settings := "apiVersion: sallyport.dev/v1\nkind: Site\nmetadata: {name: store}\nspec:\n  state: " + prefix + ".state\n  trust: " + pub +
		"\n  mirror: {dir: " + prefix + ".mirror, listen: \"127.0.0.1:5999\"}\n  target:\n    manifestsDir: {path: " + prefix + ".manifests}\n"
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shipped builds a program as people have it. A test's own program holds more, and has taken more before it does anything.
func shipped(t *testing.T, dir, name, source string, flags ...string) string {
	t.Helper()
	program := filepath.Join(dir, name)
	args := append([]string{"build", "-ldflags", "-s -w", "-o", program}, flags...)
	c := exec.CommandContext(t.Context(), "go", append(args, source)...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return program
}

// measured is a program, what it is started with to learn what it takes, and the most that it may take, in bytes.
type measured struct {
	peak, path string
	limit      int64
}

// rss runs the program and gives the most memory that was resident, in bytes (0 if it could not be learnt), and the exit status.
func (m measured) rss(t *testing.T, out string, args ...string) (rss int64, code int) {
	c := exec.CommandContext(t.Context(), m.peak, append([]string{out, m.path}, args...)...)
	text, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(m.path), args[0], err, text)
		return 0, 0
	}
	b, err := os.ReadFile(out)
	if err == nil {
		_, err = fmt.Sscan(string(b), &rss, &code)
	}
	if err != nil || rss == 0 {
		t.Errorf("%s %s: no figure: %v", filepath.Base(m.path), args[0], err)
	}
	return rss << 10, code
}

// underLimit runs one verb.
func (m measured) underLimit(t *testing.T, name, out string, args []string) {
	start := time.Now()
	rss, code := m.rss(t, out, args...)
	took := time.Since(start)
	t.Logf("%-34s %-8s %-14s exit %d, %5.1f MiB, %v", name, args[0], filepath.Base(m.path), code, float64(rss)/(1<<20), took.Round(time.Millisecond))
	if rss > m.limit || took > hostileTime {
		t.Errorf("%s, %s %s: exit %d, %d KiB of %d, %v", name, filepath.Base(m.path), args[0], code, rss>>10, m.limit>>10, took)
	}
	if shows := args[0] == "inspect" || args[0] == "diff"; shows && (name == realSize || name == asManyPackages) && code != exitDone {
		t.Errorf("%s, %s: exit %d for a bundle as a factory makes them", name, args[0], code)
	}
	if args[0] == "verify" && code != exitUntrusted || args[0] == "apply" && code != exitUntrusted {
		t.Errorf("%s, %s: exit %d for a bundle that nobody signed", name, args[0], code)
	}
}

// expressions are checks whose bodies expand to very many steps.
func expressions() string {
	body := strings.Repeat("(.{1000})", 400)
	check := func(i int) string {
		return fmt.Sprintf(`{"name":"c%d","http":{"url":"http://a/","body":%q}}`, i, body)
	}
	var list []string
	for i := range 1000 {
		list = append(list, check(i))
	}
	return descriptorStart + `"created":"2026-11-21T02:00:00Z","platforms":["linux/amd64"],"images":[],"blobs":[],"manifests":{"digest":"` +
		digest.FromString("").String() + `","size":0,"objects":0},"checks":[` + strings.Join(list, ",") + `]}`
}

// realSize is the one that is not hostile, and as large as the largest that people have: it must be shown.
const realSize = "200 images, 5,000 layers, 50,000 packages, 5,000 objects"

// asManyPackages has as many as a reader takes, each with another version in the next release.
const asManyPackages = "packages as many as there may be"

func large(t *testing.T, v string) []byte {
	r := bundletest.Minimal()
	r.Plain, r.Images, r.Bases = false, nil, bundletest.Delta().Bases
	for i := range 200 {
		im := bundletest.Image{Name: fmt.Sprintf("registry.example.com/team/app%d:1.0.%s", i, v)}
		for k := range 25 {
			l := bundletest.Layer{Bytes: fmt.Appendf(nil, "layer %d of %d %s", k, i, v), Form: bundle.FormDelta, Payload: fmt.Appendf(nil, "patch %d of %d", k, i)}
			for j := range 2 {
				l.Bases = append(l.Bases, bundle.BaseBlob{Digest: digest.FromString(fmt.Sprint(i, k, j)), Size: 1 << 20, PlainSize: 3 << 20})
			}
			im.Layers = append(im.Layers, l)
		}
		r.Images = append(r.Images, im)
	}
	r.SBOMs = []bundletest.SBOM{{Image: r.Images[0].Name, Bytes: packed(t, manyPackages(50_000, "x"))}}
	r.Objects, r.Count = numbered(5000, v), 5000
	return r.Bytes(t, bundle.PredicateSignature)
}

// manyBlobs is a release of one image of n layers.
func manyBlobs(n int) bundletest.Release {
	r := bundletest.Minimal()
	r.Plain = false
	r.Bases = bundletest.Delta().Bases
	base := func(i int) []bundle.BaseBlob {
		return []bundle.BaseBlob{{Digest: digest.FromString(fmt.Sprint("base", i)), Size: 9, PlainSize: 9}}
	}
	for i := range n - 1 {
		l := bundletest.Layer{Bytes: fmt.Appendf(nil, "layer %d", i), Form: bundle.FormReuse}
		if i%3 == 0 {
			l = bundletest.Layer{Bytes: l.Bytes, Form: bundle.FormDelta, Payload: fmt.Appendf(nil, "patch %d", i), Bases: base(i)}
		}
		r.Images[0].Layers = append(r.Images[0].Layers, l)
	}
	return r
}

// listed is a release of very many images that name one blob, which has a long note.
func listed(t *testing.T) []byte {
	r := bundletest.Minimal()
	r.Images[0].Layers[0].Note = strings.Repeat("n", 1000)
	image := r.Images[0]
	for i := range 5000 {
		image.Name = fmt.Sprintf("registry.example.com/app%d:1", i)
		r.Images = append(r.Images, image)
	}
	return r.Bytes(t, bundle.PredicateSignature)
}

// attestations is a release with as many bytes of signatures as there may be.
func attestations(t *testing.T) []byte {
	var b bytes.Buffer
	s := bundletest.Minimal().Seal(t)
	var sigs []bundle.Signature
	for i := range 15 {
		text := fill(fmt.Sprintf(`{"mediaType":"%s","verificationMaterial":{"publicKey":{"hint":"%d"},"tlogEntries":[`, bundle.MediaTypeSigstoreBundle, i),
			"{},", `{}]},"dsseEnvelope":{"payload":"","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`, 256<<10)
		sig, err := bundle.NewSignature(s.Desc(), []byte(text), bundle.PredicateSignature)
		if err != nil {
			t.Fatal(err)
		}
		sigs = append(sigs, sig)
	}
	if _, err := s.Write(t.Context(), &b, sigs); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withSBOM(t *testing.T, v string, doc []byte) []byte {
	r := bundletest.Minimal()
	r.Images[0].Layers[0].Bytes = []byte(v)
	r.SBOMs = []bundletest.SBOM{{Image: r.Images[0].Name, Bytes: doc}}
	return r.Bytes(t, bundle.PredicateSignature)
}

// sharedPackages has an SBOM that very many images share.
func sharedPackages(t *testing.T, v string) []byte {
	r := bundletest.Minimal()
	r.Images[0].Layers[0].Bytes = []byte(v)
	image := r.Images[0]
	for i := range 3000 {
		image.Name = fmt.Sprintf("registry.example.com/app%d:1", i)
		r.Images = append(r.Images, image)
	}
	r.SBOMs = []bundletest.SBOM{{Image: image.Name, Bytes: packed(t, manyPackages(20_000, v))}}
	return r.Bytes(t, bundle.PredicateSignature)
}

func manyPackages(n int, v string) string {
	var b strings.Builder
	b.WriteString(`{"packages":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"name":"package-%d","versionInfo":"1.%d.0-%s","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/x"}]},`, i, i, v)
	}
	return b.String() + `{"name":"last"}]}`
}

func packed(t *testing.T, doc string) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return enc.EncodeAll([]byte(doc), nil)
}

// window is a frame that asks for a window of n bytes, then repeats one byte (RFC 8878, 3.1.1).
func window(n int) []byte {
	exponent := 0
	for 1<<(10+exponent) < n {
		exponent++
	}
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte(exponent << 3)}
	for range 3000 { // blocks of 128 KiB that repeat a space
		b = append(b, 1<<1, 0, 0x20000<<3>>16, ' ')
	}
	return b
}

func withObjects(t *testing.T, v, objects string, n int) []byte {
	r := bundletest.Minimal()
	r.Objects, r.Count = objects+"z: "+v+"\n", n
	return r.Bytes(t, bundle.PredicateSignature)
}

func numbered(n int, v string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {x: %q, y: %s}\n", i, strings.Repeat("x", 900), v)
	}
	return b.String()
}

// aliases is YAML's "billion laughs", within what a decoder may let pass.
func aliases() string {
	s := "kind: a\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 6 {
		s += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return s
}

// longKeys nests maps under keys that make paths long.
func longKeys() string {
	key := strings.Repeat("k", 1000)
	return "kind: a\nx: " + strings.Repeat("{"+key+": ", 1000) + "1" + strings.Repeat("}", 1000) + "\n"
}
