package verify

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

const password = "correct horse"

// emptyRoot keeps cosign from asking the network for Sigstore's own root.
const emptyRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`

// cosignDir is a folder with a key pair that stock cosign made, and with emptyRoot.
func cosignDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "root.json"), []byte(emptyRoot), 0o600); err != nil {
		t.Fatal(err)
	}
	cosign(t, dir, "generate-key-pair")
	return dir
}

func cosign(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := runCosign(t, dir, args...); err != nil {
		t.Fatalf("cosign %v: %v\n%s", args, err, out)
	}
}

func runCosign(t *testing.T, dir string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command(testtools.Cosign(t), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD="+password)
	return cmd.CombinedOutput()
}

// cosignSigner opens the folder's key for us.
func cosignSigner(t *testing.T, dir string) *sign.Signer {
	t.Helper()
	s, err := sign.LoadSigner(filepath.Join(dir, "cosign.key"), func() ([]byte, error) { return []byte(password), nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cosignTrust(t *testing.T, dir string) *Trust {
	t.Helper()
	tr, err := LoadTrust(filepath.Join(dir, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// repository starts a registry and names a repository in it.
func repository(t *testing.T) name.Repository {
	t.Helper()
	repo, err := name.NewRepository(strings.TrimPrefix(testtools.DockerRegistry(t), "http://") + "/releases")
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// rawManifest is a manifest as ggcr pushes it: verbatim.
type rawManifest []byte

func (m rawManifest) RawManifest() ([]byte, error)        { return m, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// pushLayout pushes what a bundle holds as an OCI layout: each blob, then the manifests that index.json names.
func pushLayout(t *testing.T, repo name.Repository, text []byte) {
	t.Helper()
	files := map[string][]byte{}
	for tr := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
	for path, b := range files {
		if strings.HasPrefix(path, "blobs/") {
			if err := remote.WriteLayer(repo, static.NewLayer(b, types.OCILayer)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var index ocispec.Index
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) == 0 {
		t.Fatal("index.json names nothing")
	}
	for _, m := range index.Manifests {
		raw := files["blobs/sha256/"+m.Digest.Encoded()]
		if err := remote.Put(repo.Digest(m.Digest.String()), rawManifest(raw)); err != nil {
			t.Fatalf("push %s: %v", m.Digest, err)
		}
	}
}

// TestCosignVerifiesOurRelease pushes a signed bundle, provenance and all, as the OCI layout that it is.
func TestCosignVerifiesOurRelease(t *testing.T) {
	dir, repo := cosignDir(t), repository(t)
	us := cosignSigner(t, dir)
	s, d := seal(t, nil)
	pushLayout(t, repo, write(t, s,
		attach(t, s, provenance(t, us, s.Digest(), d), attest.PredicateProvenance),
		attach(t, s, signRelease(t, us, s.Digest()), bundle.PredicateSignature)))

	ref := repo.Digest(s.Digest().String()).String()
	offline := []string{"--key", "cosign.pub", "--offline", "--insecure-ignore-tlog=true", "--new-bundle-format", "--trusted-root", "root.json"}
	cosign(t, dir, append(append([]string{"verify"}, offline...), ref)...)
	cosign(t, dir, append(append([]string{"verify-attestation", "--type", "slsaprovenance1"}, offline...), ref)...)

	other := cosignDir(t)
	if out, err := runCosign(t, other, append(append([]string{"verify"}, offline...), ref)...); err == nil {
		t.Errorf("cosign verified the release with another key:\n%s", out)
	}
}

// TestWeVerifyCosignsRelease has stock cosign sign the release manifest in a registry, and takes the Sigstore bundle that
// it attached into the bundle.
func TestWeVerifyCosignsRelease(t *testing.T) {
	dir, repo := cosignDir(t), repository(t)
	s, _ := seal(t, nil)
	pushLayout(t, repo, write(t, s))
	cosign(t, dir, "sign", "--yes", "--key", "cosign.key", "--tlog-upload=false", "--new-bundle-format", repo.Digest(s.Digest().String()).String())

	theirs := attachedBlobs(t, repo, s.Digest())
	if len(theirs) != 1 {
		t.Fatalf("cosign attached %d signatures, want 1", len(theirs))
	}
	r := read(t, s, attach(t, s, theirs[0], bundle.PredicateSignature))
	b, err := Open(r, Policy{Trust: cosignTrust(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Report().Signers; len(got) != 1 || got[0].Name != "cosign" {
		t.Errorf("signers %v, want cosign", got)
	}
	_, err = Open(read(t, s, attach(t, s, theirs[0], bundle.PredicateSignature)), Policy{Trust: cosignTrust(t, cosignDir(t))})
	wantError(t, err, ReasonSignature)
}

// attachedBlobs gives the first layers of a manifest's referrers.
func attachedBlobs(t *testing.T, repo name.Repository, subject digest.Digest) (blobs [][]byte) {
	t.Helper()
	for _, a := range referrers(t, repo, subject) {
		var m ocispec.Manifest
		if err := json.Unmarshal(a.Manifest, &m); err != nil {
			t.Fatal(err)
		}
		b, err := readBlob(context.Background(), a, m.Layers[0])
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	return blobs
}

func referrers(t *testing.T, repo name.Repository, subject digest.Digest) (list []Artifact) {
	t.Helper()
	index, err := remote.Referrers(repo.Digest(subject.String()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		list = append(list, artifact(t, repo.Digest(d.Digest.String())))
	}
	return list
}

// artifact reads an artifact from the registry.
func artifact(t *testing.T, ref name.Reference) Artifact {
	t.Helper()
	desc, err := remote.Get(ref)
	if err != nil {
		t.Fatal(err)
	}
	return Artifact{Manifest: desc.Manifest, Open: func(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
		layer, err := remote.Layer(ref.Context().Digest(d.String()))
		if err != nil {
			return nil, err
		}
		return layer.Compressed()
	}}
}
