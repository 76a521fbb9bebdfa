package bundle_test

import (
	_ "crypto/sha512" // go-digest knows an algorithm once it is linked
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

const sum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseReference(t *testing.T) {
	tests := []struct{ ref, canonical string }{
		{"nginx", "docker.io/library/nginx:latest"},
		{"nginx:1.25", "docker.io/library/nginx:1.25"},
		{"docker.io/nginx:stable", "docker.io/library/nginx:stable"},
		{"index.docker.io/team/app:main", "docker.io/team/app:main"},
		{"registry.example.com/team/app", "registry.example.com/team/app:latest"},
		{"registry.example.com:5000/app:2.4.0", "registry.example.com:5000/app:2.4.0"},
		{"localhost/app:dev", "localhost/app:dev"},
		{"[::1]:5000/app:1", "[::1]:5000/app:1"},
		{"app@" + sum, "docker.io/library/app@" + sum},
		{"quay.io/app:latest@" + sum, "quay.io/app@" + sum},
	}
	for _, tt := range tests {
		n, err := bundle.ParseReference(tt.ref)
		if err != nil {
			t.Errorf("%s: %v", tt.ref, err)
			continue
		}
		if n.String() != tt.canonical {
			t.Errorf("%s: got %s, want %s", tt.ref, n, tt.canonical)
		}
		if pinned := n.WithDigest(digest.Digest(sum)); !strings.HasSuffix(pinned.String(), "@"+sum) {
			t.Errorf("%s: pinned as %s", tt.ref, pinned)
		}
	}
}

func TestParseReferenceErrors(t *testing.T) {
	for ref, want := range map[string]string{
		"":                                       "invalid reference format",
		"App:1":                                  "must be lowercase",
		"app:":                                   "invalid reference format",
		"app: 1":                                 "invalid reference format",
		"app@sha256:12":                          "invalid reference format",
		"http://host/app:1":                      "invalid reference format",
		"${IMAGE}":                               "invalid reference format",
		"app@sha512:" + strings.Repeat("0", 128): "only sha256",
		"app:" + strings.Repeat("x", 129):        "invalid reference format",
	} {
		if _, err := bundle.ParseReference(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", ref, err, want)
		}
	}
}

// A canonical name is its own canonical name.
func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{"nginx", "a/b:c", "h:1/a@" + sum, "a:b@" + sum, "[::1]/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		n, err := bundle.ParseReference(ref)
		if err != nil {
			return
		}
		if again, err := bundle.ParseReference(n.String()); err != nil || again != n {
			t.Errorf("%q is %q, which is %q (%v)", ref, n, again, err)
		}
	})
}
