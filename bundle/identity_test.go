package bundle_test

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// whole is a release in which every part of the identity is set.
func whole() bundletest.Release {
	r := bundletest.Delta()
	r.Checks = []bundle.Check{{Name: "till", TCP: &bundle.TCPCheck{Address: "127.0.0.1:80"}}}
	r.Requires = &bundle.Requires{Releases: ">=2.2.0"}
	r.Overlays = []bundletest.Overlay{{Name: "emea", Match: map[string]string{"region": "emea"}, Edits: []byte("edits")}}
	r.Labels = map[string][]string{"region": {"apac", "emea"}}
	return r
}

// What a site would run differs: so does the release.
func TestIdentityTellsReleasesApart(t *testing.T) {
	base := whole().Contents(t).Descriptor.Identity()
	for name, change := range map[string]func(d *bundle.Descriptor){
		"name":                  func(d *bundle.Descriptor) { d.Name = "other" },
		"version":               func(d *bundle.Descriptor) { d.Version = "2.4.1" },
		"sequence":              func(d *bundle.Descriptor) { d.Sequence++ },
		"platforms":             func(d *bundle.Descriptor) { d.Platforms = append(d.Platforms, "linux/riscv64") },
		"objects":               func(d *bundle.Descriptor) { d.Manifests.Digest = digest.FromString("other") },
		"check":                 func(d *bundle.Descriptor) { d.Checks[0].Name = "other" },
		"requires":              func(d *bundle.Descriptor) { d.Requires.Releases = ">=2.3.0" },
		"catch-up":              func(d *bundle.Descriptor) { d.CatchUp = "hold" },
		"one-way":               func(d *bundle.Descriptor) { d.OneWay = []bundle.ObjectRef{{Kind: "Secret", Name: "pin"}} },
		"no roll":               func(d *bundle.Descriptor) { d.NoRoll = true },
		"chart":                 func(d *bundle.Descriptor) { d.Charts = []bundle.Chart{{Name: "shop", Release: "store"}} },
		"operating system":      func(d *bundle.Descriptor) { d.OS = &bundle.OS{Version: "12.8"} },
		"no image":              func(d *bundle.Descriptor) { d.Images = d.Images[1:] },
		"image":                 func(d *bundle.Descriptor) { d.Images[0].Digest = digest.FromString("other") },
		"labels":                func(d *bundle.Descriptor) { d.Labels["region"] = []string{"emea"} },
		"no overlay":            func(d *bundle.Descriptor) { d.Overlays = nil },
		"match of an overlay":   func(d *bundle.Descriptor) { d.Overlays[0].Match["region"] = "apac" },
		"order of the overlays": func(d *bundle.Descriptor) { d.Overlays[0].Name = "other" },
		"edits of an overlay":   func(d *bundle.Descriptor) { d.Overlays[0].Digest = digest.FromString("other") },
		"name of an image": func(d *bundle.Descriptor) {
			d.Images[0].Name += "x"
		},
		"a platform of an image less": func(d *bundle.Descriptor) {
			im := &d.Images[slices.IndexFunc(d.Images, func(im bundle.Image) bool { return len(im.Manifests) > 1 })]
			im.Manifests = im.Manifests[1:]
		},
	} {
		d := whole().Contents(t).Descriptor
		change(d)
		if d.Identity() == base {
			t.Errorf("%s: the identity is the same", name)
		}
	}
}

// Only how it travels differs, or in which order things are told: it is the same release.
func TestIdentityIsThatOfEveryVariant(t *testing.T) {
	base := whole().Contents(t).Descriptor.Identity()
	later := time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(d *bundle.Descriptor){
		"built later":  func(d *bundle.Descriptor) { d.Created = later },
		"good longer":  func(d *bundle.Descriptor) { d.Expires = &later },
		"other owner":  func(d *bundle.Descriptor) { d.Overlays[0].Owner, d.Overlays[0].Expires = "emea-team", &later },
		"other bases":  func(d *bundle.Descriptor) { d.Bases = nil },
		"plain":        func(d *bundle.Descriptor) { d.Plain = true },
		"other forms":  func(d *bundle.Descriptor) { d.Blobs = nil },
		"no SBOMs":     func(d *bundle.Descriptor) { d.SBOMs = nil },
		"signed again": func(d *bundle.Descriptor) { d.Images[0].Attached = nil },
		"other order":  func(d *bundle.Descriptor) { slices.Reverse(d.Images) },
	} {
		d := whole().Contents(t).Descriptor
		change(d)
		if d.Identity() != base {
			t.Errorf("%s: the identity is another", name)
		}
	}
}

// Whoever adds a field to the descriptor has to decide whether it is part of the release's identity.
func TestEveryFieldIsPartOfTheIdentityOrNot(t *testing.T) {
	part := []string{"Name", "Version", "Sequence", "Platforms", "Images", "Manifests", "OS", "Overlays", "Labels", "Checks", "Requires", "CatchUp", "OneWay", "NoRoll", "Charts"}
	not := []string{"APIVersion", "Kind", "ID", "Created", "Expires", "Plain", "Bases", "Blobs", "SBOMs"}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[bundle.Descriptor]()) {
		if !slices.Contains(slices.Concat(part, not), f.Name) {
			t.Errorf("is %s part of what a release delivers? Add it to identify and docs/format.md, or to the list here", f.Name)
		}
	}
}

func TestIdentityStandsInTheBundle(t *testing.T) {
	file := whole().Bytes(t)
	r, err := bundle.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Descriptor(); d.ID == "" || d.ID != whole().Contents(t).Descriptor.Identity() {
		t.Errorf("the descriptor says %q", d.ID)
	}
	forged := forge(t, file).editChain(inDescriptor, r.Descriptor().ID.String(), digest.FromString("another").String())
	if _, err := bundle.NewReader(bytes.NewReader(forged.bytes())); reasonOf(err) != "format" || !strings.Contains(err.Error(), "identity") {
		t.Errorf("a descriptor with the identity of another release: %v", err)
	}
}

// A bundle that was made before releases had an identity is the release that it would be today.
func TestBundleWithoutIdentity(t *testing.T) {
	f := forge(t, whole().Bytes(t))
	id := whole().Contents(t).Descriptor.Identity()
	f.editChain(inDescriptor, `"identity":"`+id.String()+`",`, "")
	r, err := bundle.NewReader(bytes.NewReader(f.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Descriptor(); d.ID != "" || d.Identity() != id {
		t.Errorf("it is %s (the descriptor says %q), want %s", d.Identity(), d.ID, id)
	}
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF { //nolint:errorlint // the end of a bundle is the bare io.EOF
		t.Error(err)
	}
}
