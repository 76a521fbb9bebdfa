package manifest_test

import (
	"strings"
	"testing"
)

// Operators name images in arguments, the environment and custom resources: nikhilsbhat/helm-images#8,
// zarf-dev/zarf#585, jaegertracing/jaeger-operator#2355. Addresses and paths are no images.
func TestMentions(t *testing.T) {
	r := render(t, unpack(t, `
-- a.yaml --
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, annotations: {a: "see https://registry.example.com/docs/page:1", b: "x.example.com/b:2"}}
spec:
  args: ["--image=registry.example.com/sidecar:2.0", "--listen=0.0.0.0:8080", /var/lib/x:ro, db.shop.svc:5432/shop]
  text: "image: \"quay.io/one/two:3\"\nurl: http://quay.io/one/two:4\n"
  image: registry.example.com/sidecar:2.0
`))
	var got []string
	for _, m := range r.Mentions() {
		got = append(got, m.Reference+" "+m.Field)
	}
	want := "x.example.com/b:2 metadata.annotations.b, registry.example.com/sidecar:2.0 spec.args[0], quay.io/one/two:3 spec.text"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s", s)
	}
}
