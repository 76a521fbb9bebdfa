package inspect_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
)

func TestInspectSystemGolden(t *testing.T) {
	golden(t, "system.json", inspect.Inspect(reader(t, bundletest.System())))
}

// TestCompareSystems compares parts by their names; a release without an operating system has none of them.
func TestCompareSystems(t *testing.T) {
	before, after := bundletest.System(), bundletest.System()
	after.OS.Version = "12.9"
	after.OS.Parts[3].Bytes = []byte("another tree")
	after.OS.Parts = append(after.OS.Parts[1:2:2], after.OS.Parts[3])
	after.OS.Parts = append(after.OS.Parts, bundletest.OSPart{Name: "zero", Layer: bundletest.Layer{Bytes: []byte("new")}})
	d, err := inspect.Compare(contents(t, before), contents(t, after))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "systems.json", d.OS)
	for _, r := range [][2]bundletest.Release{{before, {}}, {{}, before}} {
		d, err := inspect.Compare(contents(t, r[0]), contents(t, r[1]))
		if err != nil {
			t.Fatal(err)
		}
		if d.OS == nil || len(d.OS.Added)+len(d.OS.Removed) != 4 || d.OS.Changed == nil || d.OS.Unchanged == nil {
			t.Errorf("with one side alone: %+v", d.OS)
		}
	}
	if d, err := inspect.Compare(contents(t, bundletest.Minimal()), contents(t, bundletest.Minimal())); err != nil || d.OS != nil {
		t.Errorf("without an operating system: %+v, %v", d.OS, err)
	}
}

// TestPackagesOfParts lists and compares the packages of a part as those of an image, under the name os/root; a part that has
// no documents on either side has no packages.
func TestPackagesOfParts(t *testing.T) {
	before, after := bundletest.System(), bundletest.System()
	before.SBOMs = []bundletest.SBOM{{Image: "os/verity", Bytes: spdx(t, "deb/openssl 3.0.17", "deb/zlib 1")}}
	after.OS.Parts[3].Bytes = []byte("another tree")
	after.OS.Parts[1].Form, after.OS.Parts[1].Bytes = bundle.FormFull, []byte("another kernel")
	after.SBOMs = []bundletest.SBOM{{Image: "os/verity", Bytes: spdx(t, "deb/openssl 3.0.18", "deb/zlib 1")}}
	d, err := inspect.Compare(contents(t, before), contents(t, after))
	if err != nil {
		t.Fatal(err)
	}
	p := d.Packages
	if len(p.Changed) != 1 || p.Changed[0].Name != "openssl" || p.Changed[0].New != "3.0.18" || p.Changed[0].Images[0] != "os/verity" || len(p.Unknown) > 0 {
		t.Errorf("got %+v", p)
	}
	list, err := contents(t, after).Packages()
	if err != nil || len(list) != 1 || len(list["os/verity"]) != 2 {
		t.Errorf("got %v, %v", list, err)
	}
	after.SBOMs = nil
	if d, err = inspect.Compare(contents(t, before), contents(t, after)); err != nil || len(d.Packages.Unknown) != 1 {
		t.Errorf("where one side has no documents: %+v, %v", d.Packages, err)
	}
}
