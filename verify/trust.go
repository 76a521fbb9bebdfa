package verify

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

const (
	// maxTrustFile bounds a trust file, in bytes.
	maxTrustFile = 1 << 20
	// maxTrustKeys bounds how many keys a signature is tried against.
	maxTrustKeys = 256
)

// Signer is a key under the name by which people know it.
type Signer struct {
	// KeyID is "SHA256:" and the unpadded base64 of the SHA-256 of the public key's DER form.
	KeyID string `json:"keyID"`
	// Name is the file name that the key came with, without .pub or .pem. Where one file holds several keys they are numbered.
	Name string `json:"name"`
}

// String is the form in which messages name a signer.
func (s Signer) String() string { return s.Name + " (" + s.KeyID + ")" }

// Trust is who may sign: any one of its keys.
type Trust struct {
	keys []trustedKey
}

type trustedKey struct {
	Signer
	pubkey.Key
}

// LoadTrust reads a PEM file of one or more public keys as cosign writes them. Faults are *Error with Reason "usage".
func LoadTrust(path string) (*Trust, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, refuse(ReasonUsage, hintTrust, "the trusted keys cannot be read: %w", err)
	}
	defer f.Close()
	return ReadTrust(path, f)
}

// ReadTrust is LoadTrust of a file that is open already; path is its name.
func ReadTrust(path string, r io.Reader) (*Trust, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxTrustFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the trusted keys: %w", err)
	}
	if len(text) > maxTrustFile {
		return nil, refuse(ReasonUsage, hintTrust, "%s is larger than %d bytes: it is no file of public keys", path, maxTrustFile)
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return nil, refuse(ReasonUsage, "name a PEM file with the public keys of those who may sign",
			"%s is a JSON document; this version takes public keys only", path)
	}
	keys, err := pubkey.Parse(text)
	if err != nil {
		return nil, refuse(ReasonUsage, hintTrust, "%s is no file of public keys: %w", path, err)
	}
	return newTrust(keyName(path), path, keys)
}

// keyName is what the keys of a file are called.
func keyName(path string) string {
	name := filepath.Base(path)
	return strings.TrimSuffix(strings.TrimSuffix(name, ".pub"), ".pem")
}

const hintTrust = "name the .pub file that came with the signing key (cosign and sallyport key generate write one)"

func newTrust(name, path string, keys []pubkey.Key) (*Trust, error) {
	if len(keys) > maxTrustKeys {
		return nil, refuse(ReasonUsage, hintTrust, "%s holds %d keys, more than %d", path, len(keys), maxTrustKeys)
	}
	t := &Trust{}
	for i, k := range keys {
		n := name
		if len(keys) > 1 {
			n = fmt.Sprintf("%s#%d", name, i+1)
		}
		if t.byHint(k.Hint) != nil {
			return nil, refuse(ReasonUsage, "remove the repeated key", "%s holds the key %s twice", path, k.ID)
		}
		t.keys = append(t.keys, trustedKey{Signer: Signer{KeyID: k.ID, Name: n}, Key: k})
	}
	return t, nil
}

// Signers are the accepted keys, in the file's order.
func (t *Trust) Signers() []Signer {
	list := make([]Signer, len(t.keys))
	for i, k := range t.keys {
		list[i] = k.Signer
	}
	return list
}

// names lists the accepted keys for a message.
func (t *Trust) names() string {
	var list []string
	for _, s := range t.Signers() {
		list = append(list, s.String())
	}
	return some(list, ", ")
}

// some joins a list for a message, its end left out if it is long.
func some(list []string, separator string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, separator)
	}
	return fmt.Sprintf("%s%s%d more", strings.Join(list[:most], separator), separator, len(list)-most)
}

// byHint gives the key that a Sigstore bundle names, or nil.
func (t *Trust) byHint(hint string) *trustedKey {
	for i := range t.keys {
		if t.keys[i].Hint == hint {
			return &t.keys[i]
		}
	}
	return nil
}

// signerOf gives the key that made the signature, or nil.
func (t *Trust) signerOf(m message, signature []byte) *trustedKey {
	for i := range t.keys {
		if m.signed(t.keys[i].ECDSA, signature) {
			return &t.keys[i]
		}
	}
	return nil
}
