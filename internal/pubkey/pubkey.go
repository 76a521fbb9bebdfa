// Package pubkey reads public keys as cosign writes them and gives them the id by which people compare them.
//
// Accepted are ECDSA keys on P-256 and P-384. RSA and Ed25519 keys are refused by name: an Ed25519 signature cannot be
// checked by digest, and one family of keys keeps a site's verifier small.
package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// pemType is the one PEM type of public keys that is accepted.
const pemType = "PUBLIC KEY"

// Key is a public key that may sign.
type Key struct {
	ECDSA *ecdsa.PublicKey
	// ID is "SHA256:" and the unpadded base64 of the SHA-256 of the key's DER form (SubjectPublicKeyInfo), as ssh prints
	// its keys.
	ID string
	// Hint is what Sigstore bundles of cosign name the key by: the padded base64 of the same hash.
	Hint string
}

// New checks that the key is of an accepted kind.
func New(public crypto.PublicKey) (Key, error) {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return Key{}, fmt.Errorf("%s keys are not supported, only ECDSA on P-256 or P-384", kind(public))
	}
	if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
		return Key{}, fmt.Errorf("ECDSA keys on %s are not supported, only on P-256 or P-384", key.Curve.Params().Name)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Key{}, fmt.Errorf("encode the public key: %w", err)
	}
	sum := sha256.Sum256(der)
	hint := base64.StdEncoding.EncodeToString(sum[:])
	return Key{ECDSA: key, ID: IDOfHint(hint), Hint: hint}, nil
}

// IDOfHint gives the key id for a hint as cosign writes them. Other tools' hints are given back as they are.
func IDOfHint(hint string) string {
	sum, err := base64.StdEncoding.Strict().DecodeString(hint)
	if err != nil || len(sum) != sha256.Size {
		return hint
	}
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum)
}

// PEM is the form in which cosign writes the key to a .pub file.
func (k Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.ECDSA)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Parse reads a PEM file of one or more public keys. Text around the PEM blocks is ignored, as PEM allows; blocks of
// other types are errors.
func Parse(text []byte) ([]Key, error) {
	begun := bytes.Count(text, []byte("-----BEGIN "))
	var keys []Key
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		key, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	// pem.Decode passes over blocks that it cannot read. A key that is left out unnoticed is missed much later.
	if len(keys) != begun {
		return nil, fmt.Errorf("%d of its %d PEM blocks are damaged", begun-len(keys), begun)
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no public key in PEM form")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (Key, error) {
	if block.Type != pemType {
		return Key{}, fmt.Errorf("a PEM block of type %q is not a public key", block.Type)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("the public key does not parse: %w", err)
	}
	return New(public)
}

// kind names the family of a key.
func kind(public crypto.PublicKey) string {
	switch public.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return fmt.Sprintf("%T", public)
	}
}
