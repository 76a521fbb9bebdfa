package bundle_test

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// withOverlays is a release with two overlays.
func withOverlays() bundletest.Release {
	r := bundletest.Delta()
	r.Overlays = []bundletest.Overlay{
		{Name: "emea", Match: map[string]string{"region": "emea"}, Edits: []byte("a")},
		{Name: "store", Match: map[string]string{"region": "emea", "store": "1"}, Edits: []byte("b")}}
	r.Labels = map[string][]string{"region": {"apac", "emea"}, "store": {}}
	return r
}

// Each descriptor has one fault.
func TestOverlaysValidate(t *testing.T) {
	if _, err := withOverlays().Contents(t).Descriptor.Marshal(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(o []bundle.Overlay, d *bundle.Descriptor)
		want   string
	}{
		"no name":     {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Name = "" }, "name is not 1 to 253"},
		"controls":    {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Name = "a\x1b[2J" }, "not printable"},
		"owner":       {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Owner = "a\nb" }, "not printable"},
		"name twice":  {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[1].Name = "emea" }, "listed twice"},
		"order":       {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0], o[1] = o[1], o[0] }, "out of order"},
		"matches all": {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Match = nil }, "matches by 0 labels"},
		"label":       {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Match = map[string]string{"": "x"} }, "not a label"},
		"digest":      {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Digest = "md5:00" }, "not a sha256 digest"},
		"size":        {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Size = bundle.MaxOverlaySize + 1 }, "size 4194305"},
		"edits":       {func(o []bundle.Overlay, _ *bundle.Descriptor) { o[0].Edits = -1 }, "out of range"},
		"too many": {func(_ []bundle.Overlay, d *bundle.Descriptor) {
			d.Overlays = make([]bundle.Overlay, bundle.MaxOverlays+1)
		}, "more than 4096"},
		"values unsorted": {func(_ []bundle.Overlay, d *bundle.Descriptor) { d.Labels["region"] = []string{"b", "a"} }, "not a sorted list"},
		"value twice":     {func(_ []bundle.Overlay, d *bundle.Descriptor) { d.Labels["region"] = []string{"a", "a"} }, "not a sorted list"},
		"no list":         {func(_ []bundle.Overlay, d *bundle.Descriptor) { d.Labels["region"] = nil }, "not a sorted list"},
		"too large together": {func(_ []bundle.Overlay, d *bundle.Descriptor) {
			d.Overlays = nil
			for _, c := range "abcdefghi" {
				d.Overlays = append(d.Overlays, bundle.Overlay{Name: string(c), Match: map[string]string{"a": "b"},
					Digest: digest.FromString(string(c)), Size: bundle.MaxOverlaySize})
			}
		}, "more than 33554432 bytes"},
	} {
		d := withOverlays().Contents(t).Descriptor
		c.change(d.Overlays, d)
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestTaken(t *testing.T) {
	d := withOverlays().Contents(t).Descriptor
	for labels, want := range map[[2]string]string{{}: "", {"emea"}: "emea", {"apac", "1"}: "", {"emea", "1"}: "emea store", {"emea", "2"}: "emea"} {
		have := map[string]string{"more": "x"}
		for i, k := range []string{"region", "store"} {
			if labels[i] != "" {
				have[k] = labels[i]
			}
		}
		var names []string
		for _, o := range d.Taken(have) {
			names = append(names, o.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v takes %q, want %q", have, got, want)
		}
		if err := d.CheckLabels(have); err != nil {
			t.Error(err)
		}
	}
	if err := d.CheckLabels(map[string]string{"region": "emae"}); err == nil || !strings.Contains(err.Error(), "region: emae is none of apac, emea") {
		t.Error(err)
	}
}
