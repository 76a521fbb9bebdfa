package receipt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestStockCosignVerifies holds docs/format.md, section 11, to its word: with the key of the enrolment stock cosign accepts a receipt,
// and with another key it does not. It asks no network.
func TestStockCosignVerifies(t *testing.T) {
	k, dir := newTestKey(t), t.TempDir()
	s := spoolAt(t, t.TempDir(), k)
	r := sample(1, "committed")
	s.must(t, r)
	receipt, err := s.read(s.index.Receipts[0])
	if err != nil {
		t.Fatal(err)
	}
	hex := r.Release.Digest.Encoded()
	verify := func(key string) error {
		cmd := exec.Command(testtools.Cosign(t), "verify-blob-attestation", "--key", key, "--bundle", "receipt.json", "--new-bundle-format", "--offline",
			"--insecure-ignore-tlog=true", "--trusted-root", "root.json", "--type", "https://sallyport.dev/receipt/v1", "--digest", hex, "--digestAlg", "sha256")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		t.Logf("%s: %v %s", key, err, out)
		return err
	}
	own, other := enrolledKey(t, k), enrolledKey(t, newTestKey(t))
	for name, text := range map[string]string{"receipt.json": string(receipt), "own.pub": own, "other.pub": other,
		"root.json": `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify("own.pub"); err != nil {
		t.Error(err)
	}
	if verify("other.pub") == nil {
		t.Error("another site's key verifies it, too")
	}
}

// enrolledKey is the key that an enrolment brings, as PEM.
func enrolledKey(t *testing.T, k *Key) string {
	t.Helper()
	s := spoolAt(t, t.TempDir(), k)
	for _, e := range s.entries() {
		b, err := s.read(e)
		if err != nil {
			t.Fatal(err)
		}
		st, err := Open(b)
		if err != nil {
			t.Fatal(err)
		}
		if st.Enrolment != nil {
			return st.Enrolment.Key
		}
	}
	t.Fatal("there is no enrolment")
	return ""
}

// TestForwardToARegistry sends receipts to Debian's registry, which gives each back under its name.
func TestForwardToARegistry(t *testing.T) {
	registry := testtools.DockerRegistry(t)
	target, err := OpenTarget("oci+"+registry+"/fleet/receipts", "")
	if err != nil {
		t.Fatal(err)
	}
	s := three(t)
	want := map[string][]byte{}
	for _, e := range s.entries() {
		if want[strings.TrimSuffix(e.File, ".json")], err = s.read(e); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.pass(t, noon, target); got != fmt.Sprintf("sent %d refused 0 waiting 0", len(want)) {
		t.Fatal(got)
	}
	c, err := mirror.New(mirror.Config{URL: registry})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := c.Tags(t.Context(), "fleet/receipts")
	if err != nil || len(tags) != len(want) {
		t.Fatalf("%d statements are tagged %q: %v", len(want), tags, err)
	}
	for _, tag := range tags {
		raw, _, err := c.Manifest(t.Context(), "fleet/receipts", tag)
		if err != nil {
			t.Fatal(err)
		}
		var m ocispec.Manifest
		if err := json.Unmarshal(raw, &m); err != nil || m.ArtifactType != ArtifactType || len(m.Layers) != 1 {
			t.Fatalf("%s: %v: %s", tag, err, raw)
		}
		r, err := c.OpenBlob(t.Context(), "fleet/receipts", m.Layers[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, want[tag]) {
			t.Errorf("%s is other than what was sent: %v", tag, err)
		}
	}
}
