package mirror_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

const docker = "docker-registry"

// onEach runs a test against the embedded mirror and against Debian's registry: what a Client promises it promises of
// both.
func onEach(t *testing.T, test func(t *testing.T, kind, url string)) {
	t.Run("embedded", func(t *testing.T) {
		url, _ := serveEmbedded(t)
		test(t, "embedded", url)
	})
	t.Run(docker, func(t *testing.T) { test(t, docker, testtools.DockerRegistry(t)) })
}

// secret is what lets one push to every embedded mirror of these tests.
var secret = sync.OnceValues(func() (at embedded.Served, err error) {
	dir, err := os.MkdirTemp("", "secret")
	if err != nil {
		return at, err
	}
	defer os.RemoveAll(dir)
	at.User = embedded.User
	at.Password, err = embedded.Secret(context.Background(), filepath.Join(dir, "secret"))
	return at, err
})

// serveEmbedded starts an embedded mirror on an empty folder.
func serveEmbedded(t testing.TB) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	known, err := secret()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(known.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	at, stop, err := embedded.Attach(t.Context(), embedded.Config{Dir: dir, Secret: file}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return at.URL, dir
}

// newClient makes a client that can push to embedded mirrors, unless it is to log in otherwise.
func newClient(t testing.TB, cfg mirror.Config) *mirror.Client {
	t.Helper()
	if cfg.Username == "" && cfg.CredentialsFile == "" && cfg.Keychain == nil {
		known, err := secret()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Username, cfg.Password = known.User, known.Password
	}
	c, err := mirror.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func client(t testing.TB, url string) *mirror.Client {
	t.Helper()
	return newClient(t, mirror.Config{URL: url})
}

// blob is a blob's bytes with their descriptor.
type blob struct {
	ocispec.Descriptor
	data []byte
}

func (b blob) open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.data)), nil }

func newBlob(data []byte, mediaType string) blob {
	return blob{ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, data}
}

// randomBlob makes size bytes that do not compress, the same for the same seed.
func randomBlob(size int, seed string) blob {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(data)
	return newBlob(data, ocispec.MediaTypeImageLayerGzip)
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// image is an image with all of its bytes.
type image struct {
	bundle.Image
	blobs []blob
	raws  map[digest.Digest][]byte
}

func (i *image) raw(d digest.Digest) ([]byte, error) {
	if b, ok := i.raws[d]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("the release does not have %s", d)
}

func (i *image) descriptor() *bundle.Descriptor {
	d := &bundle.Descriptor{Images: []bundle.Image{i.Image}}
	for _, b := range i.blobs {
		d.Blobs = append(d.Blobs, bundle.Blob{Digest: b.Digest, Size: b.Size, MediaType: b.MediaType})
	}
	return d
}

// newImage makes an image for linux/amd64. Images of the same seed share their layers.
func newImage(t testing.TB, name, seed, note string) *image {
	t.Helper()
	config := newBlob(asJSON(t, ocispec.Image{
		Author: note, Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString(seed)}},
	}), ocispec.MediaTypeImageConfig)
	layer := randomBlob(10_000, seed)
	m := newBlob(asJSON(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config.Descriptor, Layers: []ocispec.Descriptor{layer.Descriptor},
	}), ocispec.MediaTypeImageManifest)
	return &image{
		Image: bundle.Image{
			Name: name, Digest: m.Digest, MediaType: m.MediaType, Size: m.Size,
			Manifests: []bundle.ImageManifest{{
				Digest: m.Digest, MediaType: m.MediaType, Size: m.Size, Platform: "linux/amd64",
				Config: config.Digest, Layers: []digest.Digest{layer.Digest},
			}},
		},
		blobs: []blob{config, layer},
		raws:  map[digest.Digest][]byte{m.Digest: m.data},
	}
}

// sparse makes the image one of an index whose other platform the release does not carry.
func (i *image) sparse(t testing.TB) *image {
	t.Helper()
	m := i.Manifests[0]
	index := newBlob(asJSON(t, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{
			{MediaType: m.MediaType, Digest: digest.FromString("arm64"), Size: 100, Platform: &ocispec.Platform{OS: "linux", Architecture: "arm64"}},
			{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size, Platform: &ocispec.Platform{OS: "linux", Architecture: "amd64"}},
		},
		Annotations: map[string]string{"org.example.note": "kept <as> it is"},
	}), ocispec.MediaTypeImageIndex)
	i.Digest, i.MediaType, i.Size = index.Digest, index.MediaType, index.Size
	i.raws[index.Digest] = index.data
	return i
}

// nest makes the image's index one inside another. The other entries of the outer one are not carried.
func (i *image) nest(t testing.TB, others ...ocispec.Descriptor) *image {
	t.Helper()
	i.Indexes = append(i.Indexes, bundle.InnerIndex{Digest: i.Digest, MediaType: i.MediaType, Size: i.Size})
	index := newBlob(asJSON(t, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: append(others, ocispec.Descriptor{MediaType: i.MediaType, Digest: i.Digest, Size: i.Size}),
	}), ocispec.MediaTypeImageIndex)
	i.Digest, i.Size = index.Digest, index.Size
	i.raws[index.Digest] = index.data
	return i
}

// joined makes the image one of an index with another's manifest, and a third that the release does not carry.
func (i *image) joined(t testing.TB, other *image) *image {
	t.Helper()
	var entries []ocispec.Descriptor
	for _, m := range []bundle.ImageManifest{i.Manifests[0], other.Manifests[0], {Digest: digest.FromString("riscv64"), MediaType: ocispec.MediaTypeImageManifest, Size: 100}} {
		entries = append(entries, ocispec.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size})
	}
	index := newBlob(asJSON(t, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: entries}), ocispec.MediaTypeImageIndex)
	i.Digest, i.MediaType, i.Size = index.Digest, index.MediaType, index.Size
	i.Manifests, i.blobs = append(i.Manifests, other.Manifests...), append(i.blobs, other.blobs...)
	i.raws[index.Digest], i.raws[other.Digest] = index.data, other.raws[other.Digest]
	return i
}

// pin makes the objects name the image by what every registry can answer with.
func (i *image) pin(t testing.TB) *image {
	t.Helper()
	served, err := i.Served(i.raw)
	if err != nil {
		t.Fatal(err)
	}
	i.Pinned = served.Digest
	return i
}

// sign attaches an artifact: by tag, or as a referrer if tag is empty.
func (i *image) sign(t testing.TB, tag, note string) *image {
	t.Helper()
	empty := newBlob([]byte("{}"), "application/vnd.oci.empty.v1+json")
	sig := newBlob([]byte("signature "+note), "application/vnd.dev.sigstore.bundle.v0.3+json")
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: sig.MediaType, Config: empty.Descriptor, Layers: []ocispec.Descriptor{sig.Descriptor},
	}
	if tag == "" {
		m.Subject = &ocispec.Descriptor{MediaType: i.MediaType, Digest: i.Digest, Size: i.Size}
	}
	raw := newBlob(asJSON(t, m), m.MediaType)
	i.Attached = append(i.Attached, bundle.Attached{
		Tag: tag, Subject: i.Digest, Digest: raw.Digest, MediaType: raw.MediaType, Size: raw.Size,
		Blobs: []digest.Digest{empty.Digest, sig.Digest}, ArtifactType: m.ArtifactType,
	})
	i.blobs = append(i.blobs, empty, sig)
	i.raws[raw.Digest] = raw.data
	return i
}

// attest makes the image one of an index that also lists an attestation of it, as BuildKit writes them: no subject, no
// tag. Others are entries of the index that the release does not carry.
func (i *image) attest(t testing.TB, others ...ocispec.Descriptor) *image {
	t.Helper()
	empty := newBlob([]byte("{}"), ocispec.MediaTypeImageConfig)
	statement := newBlob([]byte("statement"), "application/vnd.in-toto+json")
	m, subject := i.Manifests[0], i.Digest
	raw := newBlob(asJSON(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: empty.Descriptor, Layers: []ocispec.Descriptor{statement.Descriptor},
	}), ocispec.MediaTypeImageManifest)
	listed := raw.Descriptor
	listed.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	listed.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject.String()}
	index := newBlob(asJSON(t, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: append([]ocispec.Descriptor{
			{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size, Platform: &ocispec.Platform{OS: "linux", Architecture: "amd64"}},
			listed,
		}, others...),
	}), ocispec.MediaTypeImageIndex)
	i.Digest, i.MediaType, i.Size = index.Digest, index.MediaType, index.Size
	i.Attached = append(i.Attached, bundle.Attached{
		Subject: subject, Digest: raw.Digest, MediaType: raw.MediaType, Size: raw.Size, ArtifactType: ocispec.MediaTypeImageConfig,
		Blobs: []digest.Digest{empty.Digest, statement.Digest},
	})
	i.blobs = append(i.blobs, empty, statement)
	i.raws[index.Digest], i.raws[raw.Digest] = index.data, raw.data
	return i
}

// load pushes an image as apply does.
func load(t testing.TB, c *mirror.Client, img *image) {
	t.Helper()
	if err := tryLoad(t.Context(), c, img); err != nil {
		t.Fatal(err)
	}
}

func tryLoad(ctx context.Context, c *mirror.Client, img *image) error {
	name, err := mirror.Repository(img.Name)
	if err != nil {
		return err
	}
	var jobs []mirror.Job
	for _, b := range img.blobs {
		jobs = append(jobs, mirror.Job{Repository: name.Repository, Desc: b.Descriptor, Open: b.open})
	}
	if _, err := c.PushBlobs(ctx, jobs, 0); err != nil {
		return err
	}
	if _, err := c.PushImage(ctx, img.Image, img.raw); err != nil {
		return err
	}
	_, err = c.TagImage(ctx, img.Image, img.raw)
	return err
}

// blobFile is where the embedded mirror keeps a blob.
func blobFile(dir string, d digest.Digest) string {
	return filepath.Join(dir, "docker/registry/v2/blobs/sha256", d.Encoded()[:2], d.Encoded(), "data")
}

// damage changes a byte of a blob behind the mirror's back.
func damage(t testing.TB, dir string, d digest.Digest) {
	t.Helper()
	f, err := os.OpenFile(blobFile(dir, d), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], 7); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], 7); err != nil {
		t.Fatal(err)
	}
}

// roundTripper makes a function a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// network is a transport of the test's own.
func network(t testing.TB) *http.Transport {
	tr := &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// reasoned is what every error for a person has.
type reasoned interface {
	error
	Reason() string
	Hint() string
}

func releases(images ...*image) []*bundle.Descriptor {
	var all []*bundle.Descriptor
	for _, i := range images {
		all = append(all, i.descriptor())
	}
	return all
}
