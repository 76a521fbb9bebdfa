package manifest_test

import (
	"strings"
	"testing"
)

// Operators name images in arguments, the environment and custom resources: nikhilsbhat/helm-images#8,
// zarf-dev/zarf#585, jaegertracing/jaeger-operator#2355. Addresses and paths are no images.
func TestMentions(t *testing.T) {
	const hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for _, test := range []struct{ name, fields, want string }{
		{"annotation", `metadata: {name: w, annotations: {a: "see https://registry.example.com/docs/page:1", b: "x.example.com/b:2"}}`,
			"x.example.com/b:2 metadata.annotations.b"},
		{"argument", `spec: {args: ["--image=registry.example.com/sidecar:2.0", "--listen=0.0.0.0:8080", /var/lib/x:ro, db.shop.svc:5432/shop]}`,
			"registry.example.com/sidecar:2.0 spec.args[0]"},
		{"several in a text", `spec: {x: "a.example.com/a:1,b.example.com/b:2 (c.example.com/c:3)."}`,
			"a.example.com/a:1 spec.x, b.example.com/b:2 spec.x, c.example.com/c:3 spec.x"},
		{"twice", `spec: {image: registry.example.com/a:1, args: ["--x=registry.example.com/a:1"]}`, "registry.example.com/a:1 spec.args[0]"},
		{"name without host", `spec: {image: "postgres:15", sidecarImage: team/x:1, images: ["redis:7"]}`,
			"postgres:15 spec.image, redis:7 spec.images[0], team/x:1 spec.sidecarImage"},
		{"flags", `spec: {args: ["--sidecar-image=nginx:1.27", --proxy-image, "envoy:1", "--image busybox:2", "--to=nginx:80"]}`,
			"nginx:1.27 spec.args[0], envoy:1 spec.args[2], busybox:2 spec.args[3]"},
		{"environment", `spec: {env: [{name: RELATED_IMAGE_DB, value: "postgres:15"}, {name: DB, value: "postgres:5432"}, {name: FOO_IMAGE, value: "foo:1"}]}`,
			"postgres:15 spec.env[0].value, foo:1 spec.env[2].value"},
		{"no tag", `spec: {image: quay.io/x/y, logoImage: cdn.example.com/banner.png, osImage: ubuntu-24.04}`, "quay.io/x/y spec.image"},
		{"split", `spec: {image: {repository: quay.io/x/y, tag: v1}, db: {image: {registry: quay.io, repository: db, tag: 15}}}`,
			"quay.io/db:15 spec.db.image.repository, quay.io/x/y:v1 spec.image.repository"},
		{"split with a digest", `spec: {image: {repository: x/y, digest: "sha256:` + hash + `"}, other: {image: quay.io/x/z, tag: "2"}}`,
			"x/y@sha256:" + hash + " spec.image.repository, quay.io/x/z:2 spec.other.image"},
		{"no split", `spec: {source: {repository: "https://git.example.com/x/y", tag: v1}, chart: {repository: charts, tag: v1}}`, ""},
		{"schemes", `spec: {a: "docker://busybox:1", b: "oci://ghcr.io/x/y:2", c: "oci://ghcr.io/charts"}`, "busybox:1 spec.a, ghcr.io/x/y:2 spec.b"},
		{"variables in a text", `data: {env: "DB_IMAGE=postgres:15\nDB=postgres:5432\nSTART=12:30\n"}`, "postgres:15 data.env"},
		{"YAML in a text", `data: {values: "image: # x.example.com/no:1\n  repository: quay.io/x/y\n  tag: v1\nsidecar: {image: 'nginx:1'}\nurl: http://a:80\n"}`,
			"quay.io/x/y:v1 data.values, nginx:1 data.values"},
		{"JSON in a text", `data: {values: '{"image": "postgres:15", "host": "db:5432"}'}`, "postgres:15 data.values"},
		{"no image", `spec: {image: "http://a:80/x", x: "key:value", z: /a/b:c, imagePullPolicy: Always, hostImage: "localhost:5000", i: "db.shop.svc:80"}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(test.fields, "metadata:") {
				test.fields = "metadata: {name: w}\n" + test.fields
			}
			r := render(t, unpack(t, "\n-- a.yaml --\napiVersion: example.com/v1\nkind: Widget\n"+test.fields+"\n"))
			var got []string
			for _, m := range r.Mentions() {
				got = append(got, m.Reference+" "+m.Field)
			}
			if s := strings.Join(got, ", "); s != test.want {
				t.Errorf("got  %s\nwant %s", s, test.want)
			}
		})
	}
}
