// Package sign makes signatures: cosign key files in, Sigstore bundles v0.3 out, without any network. It belongs to the
// factory; a site never links it.
package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// PEM types of cosign's private key files. cosign writes the first and reads both.
const (
	pemSigstore = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemCosign   = "ENCRYPTED COSIGN PRIVATE KEY"
)

// maxKeyFile bounds a key file. A P-384 key has under 1 KiB.
const maxKeyFile = 64 << 10

// GenerateKeyPair makes an ECDSA P-256 key pair and returns the two files that `cosign generate-key-pair` writes. The
// private one is encrypted with the password, which may be empty as cosign's may; store it with mode 0600.
func GenerateKeyPair(password []byte) (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the private key: %w", err)
	}
	box, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt the private key: %w", err)
	}
	pub, err := pubkey.New(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	public, err = pub.PEM()
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: box}), public, nil
}

// LoadSigner opens a cosign private key file. password is asked once the file has been found to be such a key; the
// signer takes its name from the file: release.key signs as "release".
func LoadSigner(path string, password func() ([]byte, error)) (*Signer, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	box, err := decodeKeyFile(path, text)
	if err != nil {
		return nil, err
	}
	pass, err := password()
	if err != nil {
		return nil, fmt.Errorf("password for %s: %w", path, err)
	}
	der, err := encrypted.Decrypt(box, pass)
	if err != nil {
		return nil, usage("check COSIGN_PASSWORD; if the password is right, the file is damaged",
			"%s does not open with this password: %w", path, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, usage(hintGenerate, "%s holds no private key in PKCS #8 form: %w", path, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, usage(hintGenerate, "%s holds a key of type %T, which cannot sign", path, parsed)
	}
	signer, err := New(keyName(path), key)
	if err != nil {
		return nil, usage(hintGenerate, "%s cannot sign releases: %w", path, err)
	}
	return signer, nil
}

const hintGenerate = "make a key pair with: sallyport key generate"

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage("name the private key file; "+hintGenerate, "the signing key cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	if len(text) > maxKeyFile {
		return nil, usage("name the private key file; "+hintGenerate, "%s is larger than any key file", path)
	}
	return text, nil
}

// decodeKeyFile gives the encrypted key, or says what the file is instead.
func decodeKeyFile(path string, text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, usage(hintGenerate, "%s is not a cosign private key: it has no PEM block", path)
	case block.Type == pemSigstore, block.Type == pemCosign:
		return block.Bytes, nil
	case block.Type == "PUBLIC KEY":
		return nil, usage("sign with the private key, the .key file beside it", "%s is a public key", path)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, usage("encrypt it with: cosign import-key-pair --key "+path,
			"%s is not a cosign private key but a PEM block %q", path, block.Type)
	default:
		return nil, usage(hintGenerate, "%s is not a cosign private key but a PEM block %q", path, block.Type)
	}
}

func keyName(path string) string {
	return strings.TrimSuffix(filepath.Base(path), ".key")
}
