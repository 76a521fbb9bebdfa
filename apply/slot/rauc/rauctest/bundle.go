package rauctest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

const manifest = `[update]
compatible=test
version=2.0
[bundle]
format=plain
[image.rootfs]
filename=root.img
`

// Bundle makes a RAUC bundle of an image, which the machine's RAUC trusts.
func (m *Machine) Bundle(t *testing.T, image []byte) string {
	t.Helper()
	rauc := testtools.Tool(t, "rauc", "rauc")
	testtools.Tool(t, "mksquashfs", "squashfs-tools")
	dir := t.TempDir()
	for name, data := range map[string][]byte{"manifest.raucm": []byte(manifest), "root.img": image} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bundle := filepath.Join(t.TempDir(), "b.raucb")
	cmd := exec.CommandContext(t.Context(), rauc, "bundle", "--cert="+filepath.Join(m.Dir, "cert.pem"), "--key="+filepath.Join(m.Dir, "key.pem"), dir, bundle)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rauc bundle: %v\n%s", err, out)
	}
	return bundle
}

// key makes the key that signs bundles, and the certificate by which RAUC knows it.
func (m *Machine) key(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		var b bytes.Buffer
		if err := pem.Encode(&b, block); err != nil {
			t.Fatal(err)
		}
		m.write(t, name, b.String())
	}
}
