package build

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// TestSeveralBases builds for sites that run either of two releases.
func TestSeveralBases(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0", "3.0.0")
	first := f.build(f.config("1.0.0"))
	second := f.build(f.config("2.0.0", first.File))
	either := f.build(f.config("3.0.0", first.File, second.File))
	if got := forms(either.Descriptor); got[bundle.FormReuse] != 2 || got[bundle.FormFull] != 0 || len(either.Descriptor.Bases) != 2 {
		t.Errorf("layers travel as %v on %v", got, either.Descriptor.Bases)
	}
	onFirst, onSecond := site{}, site{}
	onFirst.load(t, open(t, first.File))
	full := f.config("2.0.0")
	full.Output = f.path("out/full.tar")
	onSecond.load(t, open(t, f.build(full).File))
	maps.Clone(onFirst).load(t, open(t, either.File))
	maps.Clone(onSecond).load(t, open(t, either.File))

	cfg := f.config("3.0.0", first.File, second.File)
	each, err := RunPerBase(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.noRubbish()
	for i, s := range []site{onFirst, onSecond} {
		res := each[i]
		if want := fmt.Sprintf("3.0.0.from-%d.0.0.tar", i+1); filepath.Base(res.File) != want || res.Descriptor.Sequence != 3 {
			t.Errorf("%s has sequence %d, want %s with 3", res.File, res.Descriptor.Sequence, want)
		}
		if got := forms(res.Descriptor); got[bundle.FormDelta] != 1 || res.Size >= either.Size {
			t.Errorf("for %s layers travel as %v, in %d bytes; for both it takes %d", res.File, got, res.Size, either.Size)
		}
		s.load(t, open(t, res.File))
	}
}

func TestPerBaseRefuses(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	first := f.build(f.config("1.0.0"))
	again := f.config("1.0.0", first.File)
	again.Output = f.path("out/again.tar")
	again.Plain = true
	for _, c := range []struct {
		bases []string
		want  string
	}{
		{nil, "needs a base"},
		{[]string{first.File, f.build(again).File}, "both version 1.0.0"},
		{[]string{f.path("nothing.tar")}, "nothing.tar"},
	} {
		if _, err := RunPerBase(t.Context(), f.config("2.0.0", c.bases...)); reasonOf(err, "") != "usage" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("on %q: %v", c.bases, err)
		}
	}
}

func TestPerBaseNames(t *testing.T) {
	for output, want := range map[string]string{"a/shop.tar": "a/shop.from-1.2.0.tar", "shop-2.0": "shop-2.0.from-1.2.0"} {
		if got := perBase(output, "1.2.0"); got != want {
			t.Errorf("%s becomes %s, want %s", output, got, want)
		}
	}
}

// TestFilesMoveBetweenLayers squashes an image and takes another's files into it: a delta finds them in the base's layers,
// whichever they are in.
func TestFilesMoveBetweenLayers(t *testing.T) {
	f := newFactory(t)
	files := make([]fixture.File, 3)
	for i := range files {
		files[i] = fixture.File{Path: fmt.Sprintf("data/%d", i), Mode: 0o644, Data: words(fmt.Sprint("file ", i))}
	}
	layers := []v1.Layer{must(fixture.Layer(files[0])), must(fixture.Layer(files[1])), must(fixture.Layer(files[2]))}
	squashed := must(fixture.Layer(files...))
	const toolName = "registry.example.com/shop/words:1.0"
	f.layout(toolName, must(fixture.Image("amd64", "/tool", layers[2])))
	f.layout(serverName+"1.0.0", must(fixture.Image("amd64", "/server", layers[0], layers[1])))
	f.layout(serverName+"2.0.0", must(fixture.Image("amd64", "/server", squashed)))
	for version, tool := range map[string]string{"1.0.0": toolName, "2.0.0": serverName + "2.0.0"} {
		f.write("manifests-"+version+"/server.yaml", manifests(serverName+version, tool))
		f.write("release-"+version+".yaml", spec(version, fmt.Sprintf("  images:\n    - {name: %q, source: \"oci:./images\"}\n    - {name: %q, source: \"oci:./images\"}\n  manifests: [{path: ./manifests-%s}]\n",
			serverName+version, toolName, version)))
	}
	first := f.build(f.config("1.0.0"))
	second := f.build(f.config("2.0.0", first.File))
	var deltas int
	for _, b := range second.Descriptor.Blobs {
		if b.Form == bundle.FormDelta {
			deltas++
			if len(b.Bases) != 3 || b.Payload.Size > 1000 {
				t.Errorf("the layer is a delta of %d bytes against %d layers", b.Payload.Size, len(b.Bases))
			}
		}
	}
	if deltas != 1 {
		t.Errorf("%d deltas", deltas)
	}
	s := site{}
	s.load(t, open(t, first.File))
	s.load(t, open(t, second.File))
}
