package inspect

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func FuzzSplitObjects(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\nkind: Secret\nmetadata: {name: b}\n"), []byte("---\n"))
	f.Add([]byte("--- \r\na: &x [1]\nb: *x\n"), []byte("kind: List\nmetadata: {name: [x]}\n"))
	f.Add([]byte("kind: A\nspec: ["+strings.Repeat("[a,", 30_000)), []byte("kind: A\nspec: &a [*a, *a]\n"))
	f.Add([]byte("kind: A\nmetadata:\n  name: a\n  labels:\n    name: b\nspec: "+strings.Repeat("x", smallObject)), []byte("metadata:\n"))
	f.Add([]byte("kind: A\nspec: {1: {2: 3}}\n"), []byte("kind: A\nspec: {1: {2: 4}}\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		from, err := splitObjects(bytes.NewReader(a), 100)
		if err != nil {
			return
		}
		defer from.close()
		to, err := splitObjects(bytes.NewReader(b), 100)
		if err != nil {
			return
		}
		defer to.close()
		d, err := compareObjects(from, to)
		if err != nil {
			return
		}
		if d.Unchanged < 0 || len(d.Added)+len(d.Changed)+d.Unchanged != len(to.list) {
			t.Errorf("%d objects became %d added, %d changed, %d unchanged", len(to.list), len(d.Added), len(d.Changed), d.Unchanged)
		}
		for _, c := range d.Changed {
			if c.Summary == "" || strings.ContainsAny(c.Summary, "\n\x1b") {
				t.Errorf("a summary is not one line of text: %q", c.Summary)
			}
		}
	})
}

func FuzzReadPackages(f *testing.F) {
	f.Add([]byte(`{"spdxVersion":"SPDX-2.3","packages":[{"name":"a","versionInfo":"1"},{"name":"a","versionInfo":"1"}]}`))
	f.Add([]byte(`{"packages":[{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:"}]}],"files":`))
	f.Add([]byte(`[{}]`))
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := readPackages(bytes.NewReader(enc.EncodeAll(doc, nil)), &room{1 << 20, 10, 100, 100})
		if err == nil && len(p) > 10 {
			t.Errorf("%d packages in spite of a limit of 10", len(p))
		}
	})
}
