package inspect_test

import (
	"testing"

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
