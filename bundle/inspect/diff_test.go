package inspect_test

import (
	"context"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
)

// spdx is an SPDX document as syft writes one, in the order of its keys: "deb/openssl 3.0.17" makes a package.
func spdx(t testing.TB, packages ...string) []byte {
	t.Helper()
	items := []string{`{"name":"pick-engine","versionInfo":"2.4.0","primaryPackagePurpose":"CONTAINER"}`}
	for _, p := range packages {
		kind, rest, _ := strings.Cut(p, "/")
		name, version, _ := strings.Cut(rest, " ")
		items = append(items, `{"name":"`+name+`","SPDXID":"SPDXRef-1","versionInfo":"`+version+`","externalRefs":[`+
			`{"referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a"},`+
			`{"referenceType":"purl","referenceLocator":"pkg:`+kind+`/`+name+`@`+version+`"}]}`)
	}
	return pack(t, `{"spdxVersion":"SPDX-2.3","creationInfo":{"creators":["Tool: x",{"deep":[1,2,{"packages":0}]}]},"packages":[`+
		strings.Join(items, ",")+`],"files":[{"fileName":"/etc/passwd"}]}`)
}

func pack(t testing.TB, doc string) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := enc.Close(); err != nil {
			t.Error(err)
		}
	}()
	return enc.EncodeAll([]byte(doc), nil)
}

func image(name, content string) bundletest.Image {
	return bundletest.Image{Name: "registry.example.com/" + name, Layers: []bundletest.Layer{
		{Bytes: []byte("base layer")}, {Bytes: []byte(content)}}}
}

func releases(t testing.TB) (from, to bundletest.Release) {
	from = bundletest.Release{Version: "2.3.0", Sequence: 16,
		Images: []bundletest.Image{image("pick-engine:2.3.1", "p1"), image("telemetry:5.1.1", "t1"), image("printer:1", "q"), image("old:1", "o")},
		SBOMs: []bundletest.SBOM{
			{Image: "registry.example.com/pick-engine:2.3.1", Bytes: spdx(t, "deb/openssl 3.0.17", "golang/x/net 1", "deb/zlib 1", "deb/zlib 2")},
			{Image: "registry.example.com/telemetry:5.1.1", Bytes: spdx(t, "deb/openssl 3.0.17", "deb/libbar 1")},
			{Image: "registry.example.com/printer:1", Bytes: spdx(t, "deb/cups 1")}},
		Checks: []bundle.Check{{Name: "ready", Image: &bundle.ImageCheck{}}, {Name: "gone", Image: &bundle.ImageCheck{}}},
		Objects: `apiVersion: apps/v1beta1
kind: Deployment
metadata:
  name: pick-engine
  namespace: warehouse
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: app
        image: registry.example.com/pick-engine:2.3.1
        args: [a, b]
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: warehouse}
stringData: {token: hunter1}
---
apiVersion: v1
kind: Service
metadata: {name: old}
---
apiVersion: v1
kind: Service
metadata: {name: same}
`, Count: 4}
	to = bundletest.Release{Version: "2.4.0", Sequence: 17,
		Images: []bundletest.Image{image("pick-engine:2.4.0", "p2"), image("telemetry:5.1.2", "t2"), image("printer:1", "q"), image("new:1", "n")},
		SBOMs: []bundletest.SBOM{
			{Image: "registry.example.com/pick-engine:2.4.0", Bytes: spdx(t, "deb/openssl 3.0.18", "golang/x/net 1", "deb/zlib 2", "deb/libfoo 1.2")},
			{Image: "registry.example.com/telemetry:5.1.2", Bytes: spdx(t, "deb/openssl 3.0.18")},
			{Image: "registry.example.com/printer:1", Bytes: spdx(t, "deb/cups 1")}},
		Checks: []bundle.Check{{Name: "ready", Image: &bundle.ImageCheck{}, Count: 2}, {Name: "success-rate", Image: &bundle.ImageCheck{}}},
		Objects: `apiVersion: apps/v1
kind: Deployment
metadata:
  name: pick-engine
  namespace: warehouse
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: app
        image: registry.example.com/pick-engine:2.4.0
        args: [a, c]
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: warehouse}
stringData: {token: hunter2}
---
kind: Service
apiVersion: v1
metadata: {name: same}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: warehouse}
`, Count: 4}
	return from, to
}

func TestCompareGolden(t *testing.T) {
	from, to := releases(t)
	d, err := inspect.Compare(contents(t, from), contents(t, to))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "difference.json", d)
}

func TestCompareWithItself(t *testing.T) {
	from, _ := releases(t)
	c := contents(t, from)
	d, err := inspect.Compare(c, c)
	if err != nil {
		t.Fatal(err)
	}
	changes := len(d.Images.Added) + len(d.Images.Removed) + len(d.Images.Changed) + len(d.Packages.Added) + len(d.Packages.Removed) +
		len(d.Packages.Changed) + len(d.Packages.Unknown) + len(d.Manifests.Added) + len(d.Manifests.Removed) + len(d.Manifests.Changed) +
		len(d.Checks.Added) + len(d.Checks.Removed) + len(d.Checks.Changed)
	if changes != 0 || d.Manifests.Unchanged != 4 || len(d.Images.Unchanged) != 4 {
		t.Errorf("a release differs from itself: %+v", d)
	}
}

func TestReusedSBOM(t *testing.T) {
	from, to := releases(t)
	base := bundle.Base{Digest: from.Seal(t).Digest(), Name: "store-platform", Version: "2.3.0", Sequence: 16}
	to.Bases = []bundle.Base{base}
	// The new release has the very SBOM of the old one, and does not carry it.
	to.SBOMs[0] = bundletest.SBOM{Image: to.SBOMs[0].Image, Bytes: from.SBOMs[0].Bytes, Reuse: true}
	// This one neither carries.
	to.SBOMs[1].Reuse = true
	d, err := inspect.Compare(contents(t, from), contents(t, to))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Packages.Unknown, []string{"registry.example.com/telemetry:5.1.2"}) {
		t.Errorf("unknown: %v", d.Packages.Unknown)
	}
	if n := len(d.Packages.Added) + len(d.Packages.Removed) + len(d.Packages.Changed); n != 0 {
		t.Errorf("%d packages change in an image with the same SBOM", n)
	}
}

func TestPackages(t *testing.T) {
	from, _ := releases(t)
	c := contents(t, from)
	got, err := c.Packages()
	want := map[string][]inspect.Package{"registry.example.com/telemetry:5.1.1": {{Name: "libbar", Version: "1", Type: "deb"}, {Name: "openssl", Version: "3.0.17", Type: "deb"}}}
	for _, name := range []string{"registry.example.com/telemetry:5.1.1", "registry.example.com/old:1"} {
		if err != nil || !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("packages of %s: %v, %v", name, got[name], err)
		}
	}
}

func TestBadSBOM(t *testing.T) {
	tests := []struct {
		name, want string
		doc        []byte
	}{
		{"not zstd", "magic number", []byte("{}{}{}{}")},
		{"not JSON", "invalid character", pack(t, "hello")},
		{"another shape", "stands where", pack(t, `["packages"]`)},
		{"no packages", "lists no packages", pack(t, `{"spdxVersion":"SPDX-2.3"}`)},
		{"cut off", "unexpected EOF", pack(t, `{"packages":[{"name":"a"}`)},
		{"packages of another type", "stands where", pack(t, `{"packages":{}}`)},
		{"one huge value", "too large", pack(t, `{"spdxVersion":"`+strings.Repeat("x", 8<<20)+`"}`)},
		{"one huge package", "too large", pack(t, `{"packages":[{"name":"`+strings.Repeat("x", 8<<20)+`"}]}`)},
		{"one long name", "more than 4096 bytes", pack(t, `{"packages":[{"name":"`+strings.Repeat("x", 5000)+`"}]}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bundletest.Minimal()
			r.SBOMs = []bundletest.SBOM{{Image: r.Images[0].Name, Bytes: tt.doc}}
			_, err := inspect.Read(context.Background(), reader(t, r))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestBadObjects(t *testing.T) {
	r := bundletest.Minimal()
	r.Objects = "a: [\n"
	if _, err := inspect.Read(context.Background(), reader(t, r)); err == nil || !strings.Contains(err.Error(), "Kubernetes objects") {
		t.Errorf("got %v", err)
	}
}

// What is not needed for the comparison is checked all the same, and the payload is left.
func TestReadStopsBeforeThePayload(t *testing.T) {
	r := reader(t, bundletest.Delta())
	if _, err := inspect.Read(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	e, err := r.Next()
	if err != nil || e.Metadata {
		t.Fatalf("after the metadata comes %v, %v", e, err)
	}
	if _, err := io.Copy(io.Discard, e); err != nil {
		t.Error(err)
	}
}
