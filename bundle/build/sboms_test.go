package build

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
	"github.com/sallyport-dev/sallyport/bundle/sbom"
)

// An image whose packages would make the bundle one that no reader takes has no SBOM, and the others keep theirs.
func TestMorePackagesThanReadersTake(t *testing.T) {
	var said []string
	b := &builder{Config: Config{Observe: func(e Event) { said = append(said, e.Text) }}, listing: inspect.NewListing(), parts: map[digest.Digest]bundle.Part{}}
	for _, c := range []struct {
		name     string
		packages int
		fits     bool
	}{{"small", 1000, true}, {"large", 119_500, false}, {"medium", 100_000, true}, {"small again", 19_000, true}} {
		docs := []sbom.Document{packagesDoc(t, c.packages), {Format: "cyclonedx", Compressed: []byte(c.name)}}
		if got := b.addSBOMs(c.name, digest.FromString(c.name), docs); (len(got) == 2) != c.fits || !c.fits && got != nil {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "large has no SBOM: the bundle lists more than") {
		t.Errorf("%q", said)
	}
}

func packagesDoc(t *testing.T, n int) sbom.Document {
	t.Helper()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,{"name":"package-%d","versionInfo":"1.%d"}`, i, i)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sbom.Document{Format: "spdx", Packages: n, Compressed: enc.EncodeAll([]byte(`{"packages":[`+text.String()[1:]+`]}`), nil)}
}
