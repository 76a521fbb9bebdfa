package verify

import (
	"crypto/elliptic"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLoadTrustNamesKeys(t *testing.T) {
	a, b := newSigner(t, "a", elliptic.P256()), newSigner(t, "b", elliptic.P384())
	if got, want := trust(t, "release.pub", a).Signers(), []Signer{{a.KeyID(), "release"}}; !slices.Equal(got, want) {
		t.Errorf("signers %v, want %v", got, want)
	}
	if got, want := trust(t, "team.pem", a, b).Signers(), []Signer{{a.KeyID(), "team#1"}, {b.KeyID(), "team#2"}}; !slices.Equal(got, want) {
		t.Errorf("signers %v, want %v", got, want)
	}
}

func TestLoadTrustRefuses(t *testing.T) {
	a := newSigner(t, "a", elliptic.P256())
	public, err := a.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	var many []byte
	for range maxTrustKeys + 1 {
		p, err := newSigner(t, "x", elliptic.P256()).PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		many = append(many, p...)
	}
	for _, tt := range []struct {
		name, text, want string
	}{
		{"empty", "", "no public key"},
		{"text", "hello", "no public key"},
		{"JSON", ` {"keys":[]}`, "takes public keys only"},
		{"key twice", string(public) + string(public), a.KeyID() + " twice"},
		{"damaged", strings.Replace(string(public), "M", "!", 1), "damaged"},
		{"private key", "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAA==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n", "is not a public key"},
		{"huge", strings.Repeat("#", maxTrustFile+1), "larger than"},
		{"many keys", string(many), "257 keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "release.pub", []byte(tt.text))
			_, err := LoadTrust(path)
			wantError(t, err, ReasonUsage, path, tt.want)
		})
	}
}

func TestLoadTrustWithoutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.pub")
	_, err := LoadTrust(path)
	wantError(t, err, ReasonUsage, path)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

func TestSome(t *testing.T) {
	list := strings.Split("abcdefg", "")
	if got, want := some(list[:5], ", "), "a, b, c, d, e"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := some(list, ", "), "a, b, c, d, e, 2 more"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
