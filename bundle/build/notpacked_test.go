package build

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What the release carries is not told of, whatever way it is written: with the registry's host or without it, by its tag or
// by its digest.
func TestNotPacked(t *testing.T) {
	f := newFactory(t, "1.0.0")
	const packed = "docker.io/library/postgres:15"
	f.layout(packed, toolImage())
	sum := must(toolImage().Digest()).String()
	f.write("manifests-1.0.0/more.yaml", fmt.Sprintf(`apiVersion: example.com/v1
kind: Widget
metadata: {name: w, namespace: shop}
spec:
  a: {image: "postgres:15"}
  b: {image: "library/postgres:15@%s"}
  c: {image: {registry: docker.io, repository: postgres, tag: 15}}
  d: {image: "postgres@%[1]s"}
  e: {image: "postgres:16"}
  f: docker://docker.io/postgres:15
`, sum))
	f.write("release-1.0.0.yaml", spec("1.0.0", fmt.Sprintf(`  images:
    - {name: %q, source: "oci:./images"}
    - {name: %q, source: "oci:./images"}
    - {name: "postgres:15", source: "oci:./images"}
  manifests: [{path: ./manifests-1.0.0}]
`, serverName+"1.0.0", toolName)))
	cfg := f.config("1.0.0")
	var notes []string
	cfg.Observe = func(e Event) {
		if strings.Contains(e.Text, "is not packed") {
			notes = append(notes, e.Text)
		}
	}
	res := f.build(cfg)
	want := NotPacked{"postgres:16", "Widget shop/w", "spec.e.image", f.path("manifests-1.0.0/more.yaml") + ":9"}
	if !slices.Equal(res.NotPacked, []NotPacked{want}) || len(notes) != 1 {
		t.Errorf("got %+v, notes %q", res.NotPacked, notes)
	}
}
