package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
)

func manyParts() string {
	var b strings.Builder
	for i := range bundle.MaxOSParts + 1 {
		fmt.Fprintf(&b, "      - {name: part-%d, image: ./root.img}\n", i)
	}
	return b.String()
}

// TestImageAloneIsRoot holds an image alone against the list that it is short for.
func TestImageAloneIsRoot(t *testing.T) {
	s, err := Load(writeSpec(t, strings.Replace(wholeSpec, wholeOS, "  os: {image: ./root.img}\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if o := s.OS; o == nil || o.Version != "" || len(o.Parts) != 1 || o.Parts[0].Name != "root" || o.Parts[0].Image != "./root.img" {
		t.Errorf("got %+v", s.OS)
	}
}

// TestLargestImage takes a file of 32 GiB, of which no byte is written or read, and none that is larger.
func TestLargestImage(t *testing.T) {
	file := writeSpec(t, strings.Replace(wholeSpec, wholeOS, "  os: {image: ./root.img}\n", 1))
	image := filepath.Join(filepath.Dir(file), "root.img")
	if err := os.Truncate(image, bundle.MaxPartSize); err != nil {
		t.Skip(err)
	}
	if _, err := Load(file); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(image, bundle.MaxPartSize+1); err != nil {
		t.Skip(err)
	}
	if _, err := Load(file); reasonOf(err, "") != "spec" || !strings.Contains(err.Error(), "more than 34359738368") {
		t.Errorf("got %v", err)
	}
}

func TestArtifactSource(t *testing.T) {
	for image, want := range map[string]string{
		"./root.img":                  "no",
		"oci-image.img":               "no",
		"C#1.img":                     "no",
		"oci:./os":                    "oci:./os|",
		"oci:./os:12.8#boot/vmlinuz":  "oci:./os:12.8|boot/vmlinuz",
		"oci-archive:os.tar#root.img": "oci-archive:os.tar|root.img",
		"oci://h.example/os:1#a#b":    "oci://h.example/os:1#a|b",
		"docker://h.example/os:1#":    "docker://h.example/os:1|",
		"oci://":                      "|",
	} {
		source, path, ok := artifactSource(image)
		got := source + "|" + path
		if !ok {
			got = "no"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}
