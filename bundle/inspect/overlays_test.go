package inspect_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

// editing is a bundle whose overlay sets these fields of a Secret.
func editing(t *testing.T, region string, fields map[string]string) *inspect.Contents {
	t.Helper()
	var edits []overlay.Edit
	for _, k := range []string{"a", "b", "c"} {
		if fields[k] != "" {
			edits = append(edits, overlay.Edit{Object: overlay.Key{Kind: "Secret", Name: "pin"}, Op: overlay.Set,
				Path: overlay.Path{{Key: "stringData"}, {Key: k}}, Value: overlay.Value{V: fields[k]}})
		}
	}
	doc, err := overlay.Marshal(edits)
	if err != nil {
		t.Fatal(err)
	}
	rel := bundletest.Minimal()
	rel.Overlays = []bundletest.Overlay{{Name: "emea", Match: map[string]string{"region": region}, Edits: doc}}
	r, err := bundle.NewReader(bytes.NewReader(rel.Bytes(t)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := inspect.Read(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// What overlays edit is told by field; no value of a Secret is.
func TestOverlays(t *testing.T) {
	from := editing(t, "emea", map[string]string{"a": "48291355", "b": "1"})
	to := editing(t, "apac", map[string]string{"a": "48291356", "c": "1"})
	if got := from.Overlays(); len(got) != 1 || !reflect.DeepEqual(got[0].Changes, []string{"set Secret pin: stringData.a", "set Secret pin: stringData.b"}) {
		t.Errorf("%+v", got)
	}
	d, err := inspect.Compare(from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := inspect.OverlaysDiff{Added: []string{}, Removed: []string{}, Changed: []inspect.OverlayChange{{Name: "emea",
		Old: map[string]string{"region": "emea"}, New: map[string]string{"region": "apac"}, Added: []string{"set Secret pin: stringData.c"},
		Removed: []string{"set Secret pin: stringData.b"}, Changed: []string{"set Secret pin: stringData.a"}}}}
	if !reflect.DeepEqual(d.Overlays, want) || d.Same {
		t.Errorf("%+v", d.Overlays)
	}
}

func TestOverlayThatIsNone(t *testing.T) {
	rel := bundletest.Minimal()
	rel.Overlays = []bundletest.Overlay{{Name: "emea", Match: map[string]string{"region": "emea"}, Edits: []byte("{}")}}
	r, err := bundle.NewReader(bytes.NewReader(rel.Bytes(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Read(t.Context(), r); err == nil || !strings.Contains(err.Error(), "the overlay sha256:") {
		t.Errorf("got %v", err)
	}
}
