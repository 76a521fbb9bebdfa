package build

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// blocks is like the image of a file system: n blocks of 4 KiB, every other one empty; those in changed are others.
func blocks(n int, changed ...int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	other := rand.New(rand.NewPCG(3, 4))
	var b bytes.Buffer
	for i := range n {
		block := make([]byte, 4096)
		if i%2 == 0 {
			for k := range block {
				block[k] = byte(r.Uint32())
			}
		}
		for _, c := range changed {
			if c == i {
				for k := range block {
					block[k] = byte(other.Uint32())
				}
			}
		}
		b.Write(block)
	}
	return b.Bytes()
}

// osRelease writes the images and the spec of a release that brings an operating system alone.
func (f *factory) osRelease(version string, parts map[string][]byte) {
	f.t.Helper()
	text := "  os:\n    version: \"12." + version[:1] + "\"\n    parts:\n"
	for name, image := range parts {
		f.write("os-"+version+"/"+name+".img", string(image))
		text += "      - {name: " + name + ", image: ./os-" + version + "/" + name + ".img}\n"
	}
	f.write("release-"+version+".yaml", spec(version, text))
}

// osFactory has three versions of an operating system: the root changes in each, the kernel in the last, and its initrd is
// compressed.
func osFactory(t *testing.T) *factory {
	t.Helper()
	f := newFactory(t)
	kernel := blocks(40, 1)
	f.osRelease("1.0.0", map[string][]byte{"root": blocks(200), "kernel": kernel, "initrd": gzipped(t, words("one"))})
	f.osRelease("2.0.0", map[string][]byte{"root": blocks(200, 7, 90), "kernel": kernel, "initrd": gzipped(t, words("two"))})
	f.osRelease("3.0.0", map[string][]byte{"root": blocks(210, 7, 91), "kernel": blocks(40, 2), "initrd": gzipped(t, words("two"))})
	return f
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

// partBlobs gives the blob of each part by its name.
func partBlobs(d *bundle.Descriptor) map[string]bundle.Blob {
	out := make(map[string]bundle.Blob)
	for _, p := range d.OS.Parts {
		for _, b := range d.Blobs {
			if b.Digest == p.Digest {
				out[p.Name] = b
			}
		}
	}
	return out
}

// checkSystem plays a site that loads the bundle, and compares what it has then with the images.
func (s site) checkSystem(t *testing.T, f *factory, version, path string) *bundle.Descriptor {
	t.Helper()
	o := open(t, path)
	s.load(t, o)
	d := o.Descriptor()
	if d.OS == nil || d.OS.Version != "12."+version[:1] || len(d.OS.Parts) != 3 {
		t.Fatalf("the release tells of %+v", d.OS)
	}
	for _, p := range d.OS.Parts {
		want, err := os.ReadFile(f.path("os-" + version + "/" + p.Name + ".img"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s[p.Digest], want) || p.Digest != digest.FromBytes(want) || p.Size != int64(len(want)) {
			t.Errorf("part %s came out as other bytes than its image", p.Name)
		}
	}
	return d
}

// TestSystemTravelsInEveryForm builds three versions, each against the one before.
func TestSystemTravelsInEveryForm(t *testing.T) {
	f := osFactory(t)
	s := site{}
	res := f.build(f.config("1.0.0"))
	first := partBlobs(s.checkSystem(t, f, "1.0.0", res.File))
	if first["root"].Form != bundle.FormRecompressed || first["initrd"].Form == bundle.FormDelta || first["root"].Payload.Size > first["root"].Size*6/10 {
		t.Errorf("without a base: %+v", first)
	}
	if res.Delivers == 0 || res.Payload == 0 {
		t.Errorf("the result tells of %d of %d bytes", res.Payload, res.Delivers)
	}

	res = f.build(f.config("2.0.0", f.path("out/1.0.0.tar")))
	second := partBlobs(s.checkSystem(t, f, "2.0.0", res.File))
	root := second["root"]
	if root.Form != bundle.FormDelta || root.Payload.Size > 12<<10 || len(root.Bases) != 1 || root.Bases[0].Digest != first["root"].Digest || root.Bases[0].PlainSize != root.Bases[0].Size {
		t.Errorf("the root of two new blocks travels as %+v", root)
	}
	if second["kernel"].Form != bundle.FormReuse {
		t.Errorf("the same kernel travels as %+v", second["kernel"])
	}

	// The second bundle has the root as a delta alone: the folder has what that is made against.
	for _, name := range []string{"1.0.0.tar.lock.json", "2.0.0.tar.lock.json"} {
		if err := os.Remove(f.path("out/" + name)); err != nil {
			t.Fatal(err)
		}
	}
	res = f.build(f.config("3.0.0", f.path("out")))
	third := partBlobs(s.checkSystem(t, f, "3.0.0", res.File))
	if third["root"].Form != bundle.FormDelta || third["root"].Bases[0].Digest != root.Digest || third["initrd"].Form != bundle.FormReuse || third["kernel"].Form != bundle.FormDelta {
		t.Errorf("against a folder: %+v", third)
	}
}

// TestSystemWithoutItsBase builds against a bundle of which the root's own base is not there: it travels without a base, and
// says why.
func TestSystemWithoutItsBase(t *testing.T) {
	f := osFactory(t)
	f.build(f.config("1.0.0"))
	f.build(f.config("2.0.0", f.path("out/1.0.0.tar")))
	var told []string
	cfg := f.config("3.0.0", f.path("out/2.0.0.tar"))
	cfg.Observe = func(e Event) { told = append(told, e.Text) }
	res := f.build(cfg)
	root := partBlobs(res.Descriptor)["root"]
	if root.Form != bundle.FormRecompressed || root.Note != lostPart {
		t.Errorf("the root travels as %+v", root)
	}
	if !strings.Contains(strings.Join(told, "\n"), "parts of the bases cannot be had here") {
		t.Errorf("nobody was told: %q", told)
	}
	if !strings.Contains(strings.Join(told, "\n"), "initrd") {
		t.Errorf("the parts are not named: %q", told)
	}
}

// TestSystemPlain ships every part as it is.
func TestSystemPlain(t *testing.T) {
	f := osFactory(t)
	cfg := f.config("1.0.0")
	cfg.Plain = true
	res := f.build(cfg)
	for name, b := range partBlobs(site{}.checkSystem(t, f, "1.0.0", res.File)) {
		if b.Form != bundle.FormFull {
			t.Errorf("part %s travels as %+v", name, b)
		}
	}
}

// TestPartThatChanges refuses an image that is written to while the bundle is built.
func TestPartThatChanges(t *testing.T) {
	f := osFactory(t)
	cfg := f.config("1.0.0")
	cfg.Observe = func(e Event) {
		if e.Label == "os" && e.Text != "" {
			f.write("os-1.0.0/root.img", string(blocks(200, 3)))
		}
	}
	if _, err := Run(t.Context(), cfg); reasonOf(err, "") != "spec" || !strings.Contains(err.Error(), "part root: ./os-1.0.0/root.img changed while the bundle was built") {
		t.Errorf("got %v", err)
	}
	f.noRubbish()
}

// TestBaseThatTellsOfNoSystem gives a release with parts to a base that has none.
func TestBaseThatTellsOfNoSystem(t *testing.T) {
	f := osFactory(t)
	r := bundletest.Minimal()
	r.Name, r.Version, r.Sequence, r.Plain = "shop", "0.9.0", 1, false
	f.write("out/0.9.0.tar", string(r.Bytes(t)))
	res := f.build(f.config("1.0.0", f.path("out/0.9.0.tar")))
	for name, b := range partBlobs(site{}.checkSystem(t, f, "1.0.0", res.File)) {
		if b.Form == bundle.FormDelta || b.Form == bundle.FormReuse || b.Note != "" {
			t.Errorf("part %s travels as %+v", name, b)
		}
	}
}

// TestSystemAgainstALock builds against a lock file: the old root is read from the image that it names, as long as that is
// what it was.
func TestSystemAgainstALock(t *testing.T) {
	f := osFactory(t)
	f.build(f.config("1.0.0"))
	lock := f.path("out/1.0.0.tar.lock.json")
	raw, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ParseLock(raw)
	if err != nil {
		t.Fatal(err)
	}
	if l.OS == nil || l.OS.Version != "12.1" || len(l.OS.Parts) != 3 || l.OS.Parts[2].Name != "root" || l.OS.Parts[2].Image != "./os-1.0.0/root.img" {
		t.Fatalf("the lock tells of %+v", l.OS)
	}
	root := partBlobs(f.build(f.config("2.0.0", lock)).Descriptor)["root"]
	if root.Form != bundle.FormDelta || root.Bases[0].Digest != l.OS.Parts[2].Digest {
		t.Errorf("the root travels as %+v", root)
	}
	image := blocks(200)
	image[5]++
	f.write("os-1.0.0/root.img", string(image))
	root = partBlobs(f.build(f.config("3.0.0", lock)).Descriptor)["root"]
	if root.Note != lostPart || len(root.Bases) > 0 && root.Bases[0].Digest == l.OS.Parts[2].Digest {
		t.Errorf("against an image that changed, the root travels as %+v", root)
	}
}

// TestSystemFromAnArtifact packs a file of an OCI artifact as if it lay there by itself.
func TestSystemFromAnArtifact(t *testing.T) {
	f := newFactory(t)
	root := blocks(30)
	f.artifact("os", "12.8", map[string][]byte{"rootfs.img": root, "boot/vmlinuz": blocks(3)})
	f.write("release-1.0.0.yaml", spec("1.0.0", "  os: {version: \"12.1\", image: \"oci:./os:12.8#rootfs.img\"}\n"))
	res := f.build(f.config("1.0.0"))
	s := site{}
	s.load(t, open(t, res.File))
	if p := res.Descriptor.OS.Parts; len(p) != 1 || p[0].Name != "root" || !bytes.Equal(s[p[0].Digest], root) {
		t.Errorf("got %+v", p)
	}
	f.write("release-1.0.0.yaml", spec("1.0.0", "  os: {image: \"oci:./os:12.8#vmlinuz\"}\n"))
	_, err := Run(t.Context(), f.config("1.0.0"))
	if err == nil || !strings.Contains(err.Error(), `release-1.0.0.yaml:7: part root: oci:./os:12.8: it holds no file "vmlinuz"`) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(hintOf(err, ""), `"boot/vmlinuz"`) {
		t.Errorf("the hint is %q", hintOf(err, ""))
	}
}

// artifact lays files out as oras push --oci-layout does.
func (f *factory) artifact(dir, tag string, files map[string][]byte) {
	f.t.Helper()
	blob := func(mediaType string, b []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
		f.write(dir+"/blobs/sha256/"+d.Digest.Encoded(), string(b))
		return d
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.example.os", Config: blob(ocispec.MediaTypeEmptyJSON, []byte("{}"))}
	for name, b := range files {
		l := blob("application/octet-stream", b)
		l.Annotations = map[string]string{ocispec.AnnotationTitle: name}
		m.Layers = append(m.Layers, l)
	}
	entry := blob(m.MediaType, must(json.Marshal(m)))
	entry.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	f.write(dir+"/oci-layout", `{"imageLayoutVersion":"1.0.0"}`)
	f.write(dir+"/index.json", string(must(json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{entry}}))))
}
