package apply

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/verify"
)

// factory signs releases with one key.
type factory struct {
	signer *sign.Signer
	trust  *verify.Trust
}

func newFactory(t *testing.T) *factory {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sign.New("release", key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := signer.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "release.pub")
	if err := os.WriteFile(path, pub, 0o600); err != nil {
		t.Fatal(err)
	}
	trust, err := verify.LoadTrust(path)
	if err != nil {
		t.Fatal(err)
	}
	return &factory{signer, trust}
}

// content collects the blobs of a release that is being made.
type content struct {
	d     bundle.Descriptor
	blobs map[digest.Digest][]byte
}

func newContent(version string, sequence uint64) *content {
	return &content{blobs: map[digest.Digest][]byte{}, d: bundle.Descriptor{
		APIVersion: bundle.APIVersion, Kind: "Release", Name: "store-platform", Version: version, Sequence: sequence,
		Created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Platforms: []string{"linux/amd64"},
	}}
}

func (c *content) keep(b []byte) digest.Digest {
	d := digest.FromBytes(b)
	c.blobs[d] = b
	return d
}

// blob adds a blob that travels in full.
func (c *content) blob(mediaType string, b []byte) ocispec.Descriptor {
	d := c.keep(b)
	for _, have := range c.d.Blobs {
		if have.Digest == d {
			return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}
		}
	}
	c.d.Blobs = append(c.d.Blobs, bundle.Blob{Digest: d, Size: int64(len(b)), MediaType: mediaType, Form: bundle.FormFull,
		Payload: &bundle.Payload{Digest: d, Size: int64(len(b))}})
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}
}

// image adds an image of these layers under a name.
func (c *content) image(t *testing.T, name string, layers ...[]byte) digest.Digest {
	t.Helper()
	config := c.blob(ocispec.MediaTypeImageConfig,
		fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"author":%q}`, name))
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config}
	m.SchemaVersion = 2
	im := bundle.ImageManifest{MediaType: m.MediaType, Platform: "linux/amd64", Config: config.Digest}
	for _, l := range layers {
		desc := c.blob(ocispec.MediaTypeImageLayerGzip, l)
		m.Layers = append(m.Layers, desc)
		im.Layers = append(im.Layers, desc.Digest)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	im.Digest, im.Size = c.keep(raw), int64(len(raw))
	c.d.Images = append(c.d.Images, bundle.Image{Name: name, Digest: im.Digest, MediaType: m.MediaType, Size: im.Size,
		Manifests: []bundle.ImageManifest{im}})
	return im.Digest
}

// configMaps sets the release's objects.
func (c *content) configMaps(names ...string) {
	var b bytes.Buffer
	for _, n := range names {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {version: %q}\n",
			n, c.d.Version)
	}
	c.d.Manifests = bundle.Manifests{Digest: c.keep(b.Bytes()), Size: int64(b.Len()), Objects: len(names)}
}

// reuse lets a blob stay at home: the base has it.
func (c *content) reuse(d digest.Digest) {
	for i, b := range c.d.Blobs {
		if b.Digest == d {
			c.d.Blobs[i].Form, c.d.Blobs[i].Payload = bundle.FormReuse, nil
		}
	}
}

// travelAs lets a blob travel as a patch against old blobs, or as its recompressed form.
func (c *content) travelAs(form bundle.Form, d digest.Digest, patch []byte, bases ...bundle.BaseBlob) {
	for i, b := range c.d.Blobs {
		if b.Digest == d {
			c.d.Blobs[i].Form, c.d.Blobs[i].Bases = form, bases
			c.d.Blobs[i].Payload = &bundle.Payload{Digest: c.keep(patch), Size: int64(len(patch))}
		}
	}
}

// seal makes the signed bundle.
func (f *factory) seal(t *testing.T, c *content) sealed {
	t.Helper()
	if c.d.Manifests.Digest == "" {
		c.configMaps()
	}
	metadata, payload := c.d.Layers()
	parts := bundle.Contents{Descriptor: &c.d, Metadata: c.parts(metadata), Payload: c.parts(payload)}
	s, err := bundle.Seal(parts)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := f.signer.SignRelease(context.Background(), s.Digest())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := bundle.NewSignature(s.Desc(), signed, bundle.PredicateSignature)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := s.Write(context.Background(), &b, []bundle.Signature{sig}); err != nil {
		t.Fatal(err)
	}
	return sealed{bytes: b.Bytes(), release: releaseOf(&c.d, s.Digest()), descriptor: &c.d, yaml: c.blobs[c.d.Manifests.Digest]}
}

func (c *content) parts(descs []ocispec.Descriptor) []bundle.Part {
	var parts []bundle.Part
	for _, d := range descs {
		parts = append(parts, bundle.Part{Desc: d, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(c.blobs[d.Digest])), nil
		}})
	}
	return parts
}

// sealed is a bundle in memory.
type sealed struct {
	bytes      []byte
	release    Release
	descriptor *bundle.Descriptor
	yaml       []byte
}

func (s sealed) input() Input {
	return Input{Name: s.release.String(), Size: int64(len(s.bytes)), Reader: bytes.NewReader(s.bytes)}
}

// reasonOf is the word by which scripts know an error.
func reasonOf(err error) string {
	var r interface{ Reason() string }
	if asReason(err, &r) {
		return r.Reason()
	}
	return ""
}
