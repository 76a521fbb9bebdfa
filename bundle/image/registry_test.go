package image_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

func push(t *testing.T, ref string, what any) {
	t.Helper()
	r := must(name.ParseReference(ref))
	var err error
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(r, what)
	case v1.ImageIndex:
		err = remote.WriteIndex(r, what)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// memoryRegistry is a registry with the referrers API, behind a middleware.
func memoryRegistry(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	h := ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestRegistry(t *testing.T) {
	for kind, start := range map[string]func() string{
		"docker-registry": func() string { return strings.TrimPrefix(testtools.DockerRegistry(t), "http://") },
		"referrers API":   func() string { return memoryRegistry(t, nil) },
	} {
		t.Run(kind, func(t *testing.T) {
			repo := start() + "/team/app"
			index := newIndex("one", v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm64"},
				v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"})
			amd64 := newImage("amd64", "one")
			push(t, repo+":1", index)
			push(t, repo+":"+cosignTag(index, ".sig"), newArtifact("signature of the index"))
			push(t, repo+":"+cosignTag(amd64, ".att"), newArtifact("attestation of amd64"))
			referrer := withSubject(newArtifact("referrer of amd64"), amd64)
			push(t, repo+"@"+must(referrer.Digest()).String(), referrer)
			nested := withSubject(newArtifact("signature of the referrer"), referrer)
			push(t, repo+"@"+must(nested.Digest()).String(), nested)
			elsewhere := withSubject(newArtifact("of arm64"), newImage("arm64", "one"))
			push(t, repo+"@"+must(elsewhere.Digest()).String(), elsewhere)

			cfg := image.Config{Platforms: []ocispec.Platform{platform("linux/amd64"), platform("linux/arm")}}
			got := resolve(t, cfg, repo+":1", "")
			if !bytes.Equal(got.Root.Raw, must(index.RawManifest())) || got.Root.Desc.MediaType != ocispec.MediaTypeImageIndex {
				t.Errorf("the index differs from the original: %s", got.Root.Raw)
			}
			if len(got.Manifests) != 2 || bundle.FormatPlatform(got.Manifests[1].Platform) != "linux/arm/v7" {
				t.Fatalf("manifests: %v", got.Manifests)
			}
			checkImage(t, got, amd64)
			checkImage(t, got, newImage("arm", "onev7"))

			sub := must(amd64.Digest()).String()
			want := []string{
				"index " + sub + " in-toto",
				"tag " + must(index.Digest()).String() + " signature of the index",
				"tag " + sub + " attestation of amd64",
				"referrer " + sub + " referrer of amd64",
				"referrer " + must(referrer.Digest()).String() + " signature of the referrer",
			}
			if list := attached(t, got); !slices.Equal(list, want) {
				t.Errorf("attached:\n%s\nwant:\n%s", strings.Join(list, "\n"), strings.Join(want, "\n"))
			}
			// Two configs and layers each, one shared config for the artifacts, five artifacts' layers.
			if n := len(got.Blobs()); n != 2*2+1+5 {
				t.Errorf("%d blobs", n)
			}
		})
	}
}

func TestRegistrySingleManifest(t *testing.T) {
	host := memoryRegistry(t, nil)
	img := newImage("arm64", "single")
	push(t, host+"/app:1", img)
	dgst := must(img.Digest()).String()
	for _, source := range []string{"", "docker://" + host + "/app:1", host + "/app@" + dgst} {
		got := resolve(t, image.Config{Platforms: []ocispec.Platform{platform("linux/arm64")}}, host+"/app:1", source)
		if got.Root.Desc.Digest.String() != dgst || got.Name != host+"/app:1" || len(got.Attached) != 0 {
			t.Errorf("source %q: %s is %s, %v", source, got.Name, got.Root.Desc.Digest, got.Attached)
		}
		checkImage(t, got, img)
	}
	if got := resolve(t, image.Config{}, host+"/app:1@"+dgst, ""); got.Name != host+"/app@"+dgst {
		t.Errorf("name %s", got.Name)
	}
}

// A download that breaks is taken up where it broke, with and without ranges.
func TestRegistryResumes(t *testing.T) {
	for _, ranges := range []bool{true, false} {
		var breaks atomic.Int32
		var ranged atomic.Int32
		host := memoryRegistry(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
					next.ServeHTTP(w, r)
					return
				}
				if !ranges {
					r.Header.Del("Range")
				}
				if r.Header.Get("Range") != "" {
					ranged.Add(1)
				}
				if breaks.Add(-1) >= 0 {
					w = &breaking{w, 100}
				}
				next.ServeHTTP(w, r)
			})
		})
		img := newImage("amd64", noise(t, 1000))
		push(t, host+"/app:1", img)
		got := resolve(t, image.Config{}, host+"/app:1", "")
		breaks.Store(3)
		checkImage(t, got, img)
		if left := breaks.Load(); left >= 0 {
			t.Errorf("ranges %t: %d downloads too few", ranges, left+1)
		}
		if ranges && ranged.Load() == 0 {
			t.Error("no range was asked for")
		}
	}
}

// noise is text that no compression shortens.
func noise(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// breaking is an answer that breaks off.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		b.ResponseWriter.Write(p[:b.left])
		http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

// handler answers the ping, and everything else as it is told.
func handler(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// hasty is a patience for tests.
var hasty = image.Patience{Answer: 300 * time.Millisecond, Stall: 300 * time.Millisecond, Pause: time.Millisecond}

func TestRegistryErrors(t *testing.T) {
	// No server is ever given port 1; the port of a closed one may be another test's by now.
	const down = "127.0.0.1:1"
	status := func(code int) string {
		return handler(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	body := func(mediaType, body string) string {
		return handler(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			io.WriteString(w, body)
		})
	}
	zeros := "sha256:" + strings.Repeat("0", 64)
	tests := []struct {
		name, ref, message, hint string
		final                    bool // Reason is image; else it is network
	}{
		{"not an image name", "Team/App:1", "is not an image reference", "HOST/REPOSITORY:TAG", true},
		{"down", down + "/app:1", "127.0.0.1:1 refuses connections", "run the same command again", false},
		{"broken", status(http.StatusBadGateway) + "/app:1", "answers 502 Bad Gateway", "run the same command again", false},
		{"absent", status(http.StatusNotFound) + "/app:1", "does not have it", "release.yaml", true},
		{"denied", status(http.StatusUnauthorized) + "/app:1", "denies access", "docker login", true},
		{"forbidden", status(http.StatusForbidden) + "/app:1", "denies access", "docker login", true},
		{"schema 1", body("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}") + "/app:1", "schema 1", "push the image again", true},
		{"other digest", body(ocispec.MediaTypeImageManifest, "{}") + "/app@" + zeros, "holds sha256:44136fa355", "", true},
		{"no JSON", body(ocispec.MediaTypeImageManifest, "<html>") + "/app:1", "not JSON", "", true},
		{"other thing", body("text/html", "{}") + "/app:1", `media type "text/html"`, "", true},
		{"no media type", body("", "{}") + "/app:1", "media type", "", true},
		{"endless", body(ocispec.MediaTypeImageManifest, strings.Repeat(" ", 5<<20)) + "/app:1", "larger than 4194304 bytes", "", true},
		{"both kinds", body(ocispec.MediaTypeImageIndex, `{"manifests":[],"layers":[]}`) + "/app:1", "as a manifest has", "", true},
		{"both kinds 2", body(ocispec.MediaTypeImageManifest, `{"manifests":[],"layers":[]}`) + "/app:1", "as an index does", "", true},
		{"two minds", body(ocispec.MediaTypeImageManifest, `{"mediaType":"application/x"}`) + "/app:1", "application/x", "", true},
		{"no config", body(ocispec.MediaTypeImageManifest, `{"layers":[]}`) + "/app:1", "has no config", "", true},
		{"empty index", body(ocispec.MediaTypeImageIndex, `{"manifests":[]}`) + "/app:1", "lists no image", "", true},
		{"bad digest", body(ocispec.MediaTypeImageIndex, `{"manifests":[{"digest":"sha256:../../x"}]}`) + "/app:1", "not a sha256 digest", "", true},
		{"sha512", body(ocispec.MediaTypeImageIndex, `{"manifests":[{"digest":"sha512:`+strings.Repeat("0", 128)+`"}]}`) + "/app:1", "not a sha256 digest", "", true},
		{"bad size", body(ocispec.MediaTypeImageIndex, `{"manifests":[{"digest":"`+zeros+`","size":-1}]}`) + "/app:1", "has the size -1", "", true},
		{"index of itself", body(ocispec.MediaTypeImageIndex, `{"manifests":[{"mediaType":"`+ocispec.MediaTypeImageIndex+`","digest":"`+zeros+`"}]}`) + "/app:1", "lists no image that can be had (sha256:0000", "", true},
		{"huge config", body(ocispec.MediaTypeImageManifest, `{"config":{"digest":"`+zeros+`","size":99999999},"layers":[]}`) + "/app:1", "99999999 bytes", "", true},
		{"other config", body(ocispec.MediaTypeImageManifest, `{"config":{"digest":"`+zeros+`","size":2},"layers":[]}`) + "/app:1", "does not have this digest", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := image.NewResolver(image.Config{Patience: hasty}).Resolve(context.Background(), tt.ref, "")
			checkError(t, err, tt.message, tt.hint, tt.final)
		})
	}
}

func checkError(t *testing.T, err error, message, hint string, final bool) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Fatalf("got %v, want %q", err, message)
	}
	var reason interface{ Reason() string }
	want := map[bool]string{true: "image", false: "network"}[final]
	if !errors.As(err, &reason) || reason.Reason() != want {
		t.Errorf("%v: reason %v, want %s", err, reason, want)
	}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && !strings.Contains(hinted.Hint(), hint) || hinted == nil && hint != "" {
		t.Errorf("%v: hint %v, want %q", err, hinted, hint)
	}
}

func TestRegistryStops(t *testing.T) {
	entered := make(chan struct{})
	host := handler(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-entered; cancel() }()
	_, err := image.NewResolver(image.Config{}).Resolve(ctx, host+"/app:1", "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestMissingPlatform(t *testing.T) {
	host := memoryRegistry(t, nil)
	push(t, host+"/index:1", newIndex("x", v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}))
	push(t, host+"/single:1", newImage("amd64", "x"))
	cfg := image.Config{Platforms: []ocispec.Platform{platform("linux/amd64"), platform("linux/riscv64")}}
	for ref, has := range map[string]string{"/index:1": "linux/amd64, linux/arm/v6", "/single:1": "linux/amd64"} {
		_, err := image.NewResolver(cfg).Resolve(context.Background(), host+ref, "")
		checkError(t, err, "has no image for linux/riscv64, only for "+has, "spec.platforms", true)
	}
}
