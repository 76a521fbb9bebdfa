package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	sgbundle "github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/sallyport-dev/sallyport/bundle/attest"
)

const password = "correct horse"

func withPassword(p string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(p), nil }
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyFile encrypts a private key as cosign does.
func keyFile(t *testing.T, pemType string, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	box, err := encrypted.Encrypt(der, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: box})
}

// verifyBySigstore has sigstore-go judge a Sigstore bundle on a digest.
func verifyBySigstore(t *testing.T, public crypto.PublicKey, hash crypto.Hash, signed []byte, d digest.Digest) *sgverify.VerificationResult {
	t.Helper()
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		v, err := signature.LoadVerifier(public, hash)
		return root.NewExpiringKey(v, time.Time{}, time.Time{}), err
	})
	verifier, err := sgverify.NewVerifier(material, sgverify.WithNoObserverTimestamps())
	if err != nil {
		t.Fatal(err)
	}
	var b sgbundle.Bundle
	if err := b.UnmarshalJSON(signed); err != nil {
		t.Fatalf("sigstore-go does not read the bundle: %v", err)
	}
	sum, err := hexBytes(d)
	if err != nil {
		t.Fatal(err)
	}
	result, err := verifier.Verify(&b, sgverify.NewPolicy(sgverify.WithArtifactDigest("sha256", sum), sgverify.WithKey()))
	if err != nil {
		t.Fatalf("sigstore-go refuses the signature: %v", err)
	}
	return result
}

func TestGeneratedKeySigns(t *testing.T) {
	private, public, err := GenerateKeyPair([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := LoadSigner(write(t, "release.key", private), withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	if signer.Name() != "release" || !strings.HasPrefix(signer.KeyID(), "SHA256:") {
		t.Errorf("the signer is %s, %s", signer.Name(), signer.KeyID())
	}
	got, err := signer.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, public) {
		t.Errorf("PublicKey() = %s, want %s", got, public)
	}
	release := digest.FromString("release")
	signed, err := signer.SignRelease(context.Background(), release)
	if err != nil {
		t.Fatal(err)
	}
	result := verifyBySigstore(t, signer.pair.public.ECDSA, crypto.SHA256, signed, release)
	if result.Statement.GetPredicateType() != "https://sigstore.dev/cosign/sign/v1" {
		t.Errorf("predicate type %s", result.Statement.GetPredicateType())
	}
}

func TestLoadSignerTakesBothTypesAndCurves(t *testing.T) {
	for _, tt := range []struct {
		pemType string
		curve   elliptic.Curve
		hash    crypto.Hash
	}{
		{"ENCRYPTED SIGSTORE PRIVATE KEY", elliptic.P256(), crypto.SHA256},
		{"ENCRYPTED COSIGN PRIVATE KEY", elliptic.P256(), crypto.SHA256},
		{"ENCRYPTED SIGSTORE PRIVATE KEY", elliptic.P384(), crypto.SHA384},
	} {
		t.Run(tt.pemType+" "+tt.curve.Params().Name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(tt.curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := LoadSigner(write(t, "k.key", keyFile(t, tt.pemType, key)), withPassword(password))
			if err != nil {
				t.Fatal(err)
			}
			release := digest.FromString("release")
			statement, err := attest.ReleaseSignature(release)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.SignStatement(context.Background(), statement)
			if err != nil {
				t.Fatal(err)
			}
			verifyBySigstore(t, &key.PublicKey, tt.hash, signed, release)
		})
	}
}

func TestLoadSignerRefuses(t *testing.T) {
	private, public, err := GenerateKeyPair([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, password string
		file           []byte
		want, hint     string
	}{
		{"wrong password", "x", private, "does not open with this password", "COSIGN_PASSWORD"},
		{"public key", password, public, "is a public key", ".key"},
		{"plain key", password, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY"}), `"EC PRIVATE KEY"`, "cosign import-key-pair"},
		{"certificate", password, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"}), `"CERTIFICATE"`, "key generate"},
		{"text", password, []byte("hello"), "no PEM block", "key generate"},
		{"empty", password, nil, "no PEM block", "key generate"},
		{"huge", password, make([]byte, maxKeyFile+1), "larger than any key file", "private key file"},
		{"damaged", password, pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: []byte("{}")}), "does not open", "damaged"},
		{"RSA", password, keyFile(t, pemSigstore, rsaKey), "RSA keys are not supported", "key generate"},
		{"Ed25519", password, keyFile(t, pemSigstore, edKey), "Ed25519 keys are not supported", "key generate"},
		{"P-521", password, keyFile(t, pemSigstore, p521), "P-521 are not supported", "key generate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "release.key", tt.file)
			_, err := LoadSigner(path, withPassword(tt.password))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want *Error", err)
			}
			if e.Reason() != "usage" || !strings.Contains(e.Error(), tt.want) || !strings.Contains(e.Error(), path) {
				t.Errorf("error %q (%s), want one of usage that names the file and says %q", e, e.Reason(), tt.want)
			}
			if !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("hint %q does not say %q", e.Hint(), tt.hint)
			}
		})
	}
}

func TestLoadSignerWithoutFile(t *testing.T) {
	asked := false
	_, err := LoadSigner(filepath.Join(t.TempDir(), "none.key"), func() ([]byte, error) { asked = true; return nil, nil })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	if asked {
		t.Error("the password was asked for a file that is not there")
	}
}

func TestLoadSignerPassesThePasswordError(t *testing.T) {
	private, _, err := GenerateKeyPair(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := errors.New("no terminal")
	_, err = LoadSigner(write(t, "release.key", private), func() ([]byte, error) { return nil, want })
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestSignStatementHeedsTheContext(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := New("k", key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := signer.SignRelease(ctx, digest.FromString("release")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
