package sign

import (
	"context"
	"crypto"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

func hexBytes(d digest.Digest) ([]byte, error) { return hex.DecodeString(d.Encoded()) }

// cosign runs the stock program in a folder, with the password set.
func cosign(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(testtools.Cosign(t), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cosign %v: %v\n%s", args, err, out)
	}
}

func TestCosignSignsWithOurKey(t *testing.T) {
	private, public, err := GenerateKeyPair([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"k.key": private, "k.pub": public, "file": []byte("hello")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cosign(t, dir, "sign-blob", "--yes", "--key", "k.key", "--tlog-upload=false", "--output-signature", "file.sig", "file")
	cosign(t, dir, "verify-blob", "--key", "k.pub", "--insecure-ignore-tlog=true", "--signature", "file.sig", "file")
}

func TestWeSignWithCosignsKey(t *testing.T) {
	dir := t.TempDir()
	cosign(t, dir, "generate-key-pair")
	signer, err := LoadSigner(filepath.Join(dir, "cosign.key"), withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := signer.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(public) {
		t.Errorf("our public key file differs from cosign's:\n%s\n%s", got, public)
	}
	release := digest.FromString("release")
	signed, err := signer.SignRelease(context.Background(), release)
	if err != nil {
		t.Fatal(err)
	}
	verifyBySigstore(t, signer.pair.public.ECDSA, crypto.SHA256, signed, release)
}
