package build

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/verify"
)

func TestFirstRelease(t *testing.T) {
	f := newFactory(t, "1.0.0")
	var lines []string
	measured := map[string]int{}
	cfg := f.config("1.0.0")
	cfg.Observe = func(e Event) {
		if e.Total == 0 {
			lines = append(lines, e.Label+" "+e.Text)
		} else {
			measured[e.Label]++
		}
	}
	res := f.build(cfg)
	for _, label := range []string{"deltas", "sbom", "writing"} {
		if measured[label] < 3 {
			t.Errorf("%d times told how far %s is", measured[label], label)
		}
	}
	d := res.Descriptor
	if d.Name != "shop" || d.Version != "1.0.0" || d.Sequence != 1 || len(d.Bases) != 0 || d.Manifests.Objects != 2 {
		t.Errorf("descriptor %+v", d)
	}
	if len(d.Images) != 2 || d.Images[0].Name != serverName+"1.0.0" || d.Images[1].Name != toolName {
		t.Fatalf("images %+v", d.Images)
	}
	if got := forms(d); got[bundle.FormRecompressed] != 3 || len(got) != 1 {
		t.Errorf("layers travel as %v, want 3 recompressed", got)
	}
	if len(d.SBOMs) != 4 || res.Packages < 2 {
		t.Errorf("%d SBOMs, %d packages", len(d.SBOMs), res.Packages)
	}
	for _, want := range []string{"release shop 1.0.0 (sequence 1), linux/amd64", "images 2 images in 2 manifests",
		"deltas 3 layers: 3 recompressed", "unsigned no --key"} {
		if !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("no line says %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	o := open(t, res.File)
	site{}.load(t, o)
	if o.ReleaseDigest() != res.Digest || len(o.Signatures()) != 1 || !o.Signatures()[0].Attests() || o.Size() != res.Size {
		t.Errorf("digest %s, %d signatures, %d bytes", o.ReleaseDigest(), len(o.Signatures()), o.Size())
	}
	if objects := string(o.blobs[d.Manifests.Digest]); !strings.Contains(objects, "image: "+serverName+"1.0.0") {
		t.Errorf("the rendered manifests have another image:\n%s", objects)
	}
	if res.Payload >= res.Delivers || res.Payload <= 0 || res.Size <= res.Payload {
		t.Errorf("payload %d, delivers %d, size %d", res.Payload, res.Delivers, res.Size)
	}
}

func TestSameInputsSameBytes(t *testing.T) {
	f := newFactory(t, "1.0.0")
	first := f.build(f.config("1.0.0"))
	cfg := f.config("1.0.0")
	cfg.Output = f.path("out/again.tar")
	cfg.Workers = 1
	again := f.build(cfg)
	if !bytes.Equal(read(t, first.File), read(t, again.File)) || !bytes.Equal(read(t, first.Lock), read(t, again.Lock)) {
		t.Fatal("two builds differ")
	}
	if want := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC); !first.Descriptor.Created.Equal(want) {
		t.Errorf("created %v, want the images' time %v", first.Descriptor.Created, want)
	}
	created := time.Unix(1767225600, 0)
	cfg.Created = &created
	if res := f.build(cfg); !res.Descriptor.Created.Equal(created) {
		t.Errorf("created %v, want %v", res.Descriptor.Created, created)
	}
}

func TestSecondReleaseTravelsAsDelta(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0", "3.0.0")
	first := f.build(f.config("1.0.0"))
	second := f.build(f.config("2.0.0", first.File))
	d := second.Descriptor
	if d.Sequence != 2 || len(d.Bases) != 1 || d.Bases[0].Digest != first.Digest || d.Bases[0].Version != "1.0.0" {
		t.Errorf("sequence %d, bases %+v", d.Sequence, d.Bases)
	}
	if got := forms(d); got[bundle.FormDelta] != 1 || got[bundle.FormReuse] != 2 || len(got) != 2 {
		t.Errorf("layers travel as %v, want 1 delta and 2 reused", got)
	}
	if second.Payload*20 > second.Delivers {
		t.Errorf("a delta of %d bytes for a layer of %d", second.Payload, second.Delivers)
	}
	for _, s := range d.SBOMs {
		if tool := s.Image == d.Images[1].Digest; (s.Form == bundle.FormReuse) != tool {
			t.Errorf("SBOM of %s travels as %s", s.Image, s.Form)
		}
	}
	if l := second.Images[0]; l.Layers != 2 || l.Changed != 1 || l.Sent != second.Payload || l.Forms[bundle.FormDelta] != 1 {
		t.Errorf("the server's line is %+v", l)
	}
	if l := second.Images[1]; l.Layers != 1 || l.Changed != 0 || l.Sent != 0 {
		t.Errorf("the tool's line is %+v", l)
	}
	lock, err := ParseLock(read(t, second.Lock))
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range d.Blobs {
		if files := lock.Blobs[i].Files; b.Form == bundle.FormDelta && (len(files) == 0 || files[0].Name != "server" || !strings.Contains(files[0].Why, "changed")) {
			t.Errorf("the delta's files are %+v", files)
		}
	}
	s := site{}
	s.load(t, open(t, first.File))
	s.load(t, open(t, second.File))

	t.Run("on a delta", func(t *testing.T) {
		third := f.build(f.config("3.0.0", second.File))
		if got := forms(third.Descriptor); got[bundle.FormDelta] != 1 || third.Descriptor.Sequence != 3 {
			t.Errorf("layers travel as %v, sequence %d", got, third.Descriptor.Sequence)
		}
		s.load(t, open(t, third.File))
	})
	t.Run("on a delta without the images", func(t *testing.T) {
		f := f.move(t)
		f.layout(serverName+"3.0.0", serverImage(t, "3.0.0"))
		f.layout(toolName, toolImage())
		third := f.build(f.config("3.0.0", f.path("out"))) // a folder: 1.0.0 has what 2.0.0 is made from
		if got := forms(third.Descriptor); got[bundle.FormDelta] != 1 || third.Descriptor.Bases[0].Version != "2.0.0" || len(third.Descriptor.Bases) != 1 {
			t.Errorf("layers travel as %v on %+v", got, third.Descriptor.Bases)
		}
		s.load(t, open(t, third.File))
		if again := f.build(f.config("3.0.0", f.path("out"))); again.Digest != third.Digest {
			t.Error("the second build into the folder took the first for its base")
		}
	})
}

// move copies the factory without its images.
func (f *factory) move(t *testing.T) *factory {
	t.Helper()
	to := &factory{t: t, dir: t.TempDir()}
	if err := os.CopyFS(to.dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(to.path("images")), os.Remove(to.path("out/3.0.0.tar"))); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestBaseWhoseBytesAreGone(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0", "3.0.0")
	second := f.build(f.config("2.0.0", f.build(f.config("1.0.0")).File))
	f = f.moveAlone(t, second.File)
	var notes []string
	cfg := f.config("3.0.0", f.path("out/2.0.0.tar"))
	cfg.Observe = func(e Event) {
		if e.Label == "note" {
			notes = append(notes, e.Text)
		}
	}
	third := f.build(cfg)
	// The base's server layer is a patch on 1.0.0, which is nowhere to be had; what it carries or reuses still counts.
	if got := forms(third.Descriptor); got[bundle.FormReuse] != 2 || got[bundle.FormDelta]+got[bundle.FormRecompressed] != 1 {
		t.Errorf("layers travel as %v", got)
	}
	if len(notes) == 0 || !strings.Contains(notes[0], "does not carry all of the layers that it names, and registry.example.com has no address") {
		t.Errorf("notes %q", notes)
	}
}

// moveAlone is a factory with one earlier bundle and only the images of 3.0.0.
func (f *factory) moveAlone(t *testing.T, bundles ...string) *factory {
	t.Helper()
	to := newFactory(t, "3.0.0")
	for _, b := range bundles {
		to.write("out/"+filepath.Base(b), string(read(t, b)))
	}
	return to
}

func TestPlain(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0"))
	cfg := f.config("2.0.0", first.File)
	cfg.Plain = true
	res := f.build(cfg)
	if got := forms(res.Descriptor); got[bundle.FormFull] != 3 || len(got) != 1 || !res.Descriptor.Plain {
		t.Errorf("layers travel as %v", got)
	}
	if res.Descriptor.Sequence != 2 || len(res.Descriptor.Bases) != 0 {
		t.Errorf("sequence %d, bases %v", res.Descriptor.Sequence, res.Descriptor.Bases)
	}
	site{}.load(t, open(t, res.File))
}

func TestSignedBundleVerifies(t *testing.T) {
	f := newFactory(t, "1.0.0")
	a, public := signer(t, "release")
	b, _ := signer(t, "second")
	cfg := f.config("1.0.0")
	cfg.Signers = append(cfg.Signers, a, b)
	cfg.Version, cfg.Invocation = "0.1.0", "https://ci.example.com/1"
	cfg.Output = f.path("out/signed.tar")
	res := f.build(cfg)
	if unsigned := f.build(f.config("1.0.0")); unsigned.Digest != res.Digest {
		t.Error("signing changes the release digest")
	}
	f.write("release.pub", string(public))
	trust, err := verify.LoadTrust(f.path("release.pub"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(res.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := bundle.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.Open(r, verify.Policy{Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(v.Report().Signers) != 1 || v.Report().Signers[0].KeyID != a.KeyID() || len(res.Signers) != 2 {
		t.Errorf("signers %+v", v.Report().Signers)
	}
	var kinds []string
	for _, s := range r.Signatures() {
		kinds = append(kinds, s.PredicateType)
	}
	want := []string{bundle.PredicateSignature, bundle.PredicateSignature, attest.PredicateProvenance, attest.PredicateProvenance}
	if strings.Join(kinds, " ") != strings.Join(want, " ") {
		t.Errorf("signatures are %v", kinds)
	}
}

func TestSplit(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	whole := f.build(f.config("1.0.0"))
	cfg := f.config("1.0.0")
	cfg.Output, cfg.Split = f.path("out/parts.tar"), 100_000
	res := f.build(cfg)
	if len(res.Parts) < 3 || res.File != f.path("out/parts.tar.001") || res.Digest != whole.Digest {
		t.Fatalf("parts %v, file %s", res.Parts, res.File)
	}
	if _, err := os.Stat(cfg.Output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the whole is there too: %v", err)
	}
	// Parts serve as a base, by the whole's name too.
	for _, ref := range []string{res.File, cfg.Output} {
		second := f.build(f.config("2.0.0", ref))
		if got := forms(second.Descriptor); got[bundle.FormDelta] != 1 {
			t.Errorf("on %s layers travel as %v", ref, got)
		}
	}
}

func TestLockServesAsBase(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0"))
	lock, err := ParseLock(read(t, first.Lock))
	if err != nil {
		t.Fatal(err)
	}
	if lock.Release.Digest != first.Digest || len(lock.Images) != 2 || len(lock.Blobs) != len(first.Descriptor.Blobs) {
		t.Errorf("lock %+v", lock)
	}
	second := f.build(f.config("2.0.0", first.Lock)) // bytes come from the layout that the spec names as the source
	if got := forms(second.Descriptor); got[bundle.FormDelta] != 1 || got[bundle.FormReuse] != 2 {
		t.Errorf("layers travel as %v", got)
	}
	if want := f.build(f.config("2.0.0", first.File)); want.Digest != second.Digest {
		t.Error("the lock file gives another release than the bundle that it stands for")
	}
}

func TestUnpackedBundleServesAsBase(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0"))
	unpack(t, first.File, f.path("unpacked"))
	for _, ref := range []string{f.path("unpacked"), "oci:" + f.path("unpacked")} {
		second := f.build(f.config("2.0.0", ref))
		if got := forms(second.Descriptor); got[bundle.FormDelta] != 1 || second.Descriptor.Bases[0].Digest != first.Digest {
			t.Errorf("on %s layers travel as %v", ref, got)
		}
	}
}

func unpack(t *testing.T, path, dir string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSpecAsJSON(t *testing.T) {
	f := newFactory(t, "1.0.0")
	var doc struct{ Spec struct{ Version string } }
	if err := json.Unmarshal(f.config("1.0.0").Spec.JSON, &doc); err != nil || doc.Spec.Version != "1.0.0" {
		t.Errorf("%v %+v", err, doc)
	}
}
