package receipt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

const (
	pemPrivate = "PRIVATE KEY" // PKCS #8
	maxKeyFile = 16 << 10
)

// Key is a site's own key: ECDSA on P-256.
type Key struct {
	private *ecdsa.PrivateKey
	pubkey.Key
}

// LoadKey reads a site's key. That there is none is fs.ErrNotExist.
func LoadKey(path string) (*Key, error) {
	text, err := ownfile.Read(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemPrivate {
		return nil, &brokenKey{path + " is no private key in PEM form"}
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, &brokenKey{fmt.Sprintf("%s: %s", path, err)}
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, &brokenKey{path + " is no ECDSA key on P-256"}
	}
	return newKey(private)
}

// brokenKey is a file that holds no key.
type brokenKey struct{ text string }

func (e *brokenKey) Error() string { return e.text }

// MakeKey makes a site's key if there is none at path, for its owner alone. A file that is there and holds none, as a power cut
// may leave it, stands aside as path.damaged from then on.
func MakeKey(disk durable.Disk, path string) (*Key, error) {
	k, err := LoadKey(path)
	var broken *brokenKey
	switch {
	case errors.As(err, &broken):
		if err := disk.SetAside(path, path+".damaged", 0o600); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return k, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	if err := disk.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return newKey(private)
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	public, err := pubkey.New(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Key{private, public}, nil
}

// sign signs a message.
func (k *Key) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, k.private, sum[:])
}

// digestOf is what statements name a key by: the digest of its DER form.
func digestOf(k pubkey.Key) (digest.Digest, error) {
	der, err := x509.MarshalPKIXPublicKey(k.ECDSA)
	return digest.FromBytes(der), err
}
