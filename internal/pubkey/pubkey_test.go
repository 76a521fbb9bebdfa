package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

func publicPEM(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
}

func generate(t *testing.T, curve elliptic.Curve) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestParseGivesEveryKeyAndItsID(t *testing.T) {
	a, b := generate(t, elliptic.P256()), generate(t, elliptic.P384())
	file := append([]byte("# the release team\n"), publicPEM(t, a)...)
	file = append(file, publicPEM(t, b)...)
	keys, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || !keys[0].ECDSA.Equal(a) || !keys[1].ECDSA.Equal(b) {
		t.Fatalf("got %d keys, want the two that were written, in order", len(keys))
	}
	block, _ := pem.Decode(publicPEM(t, a))
	sum := sha256.Sum256(block.Bytes)
	if want := "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]); keys[0].ID != want {
		t.Errorf("ID = %s, want %s", keys[0].ID, want)
	}
	if got := IDOfHint(keys[0].Hint); got != keys[0].ID {
		t.Errorf("IDOfHint(Hint) = %s, want %s", got, keys[0].ID)
	}
	again, err := keys[0].PEM()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, publicPEM(t, a)) {
		t.Errorf("PEM() = %s, want what was parsed", again)
	}
}

func TestParseRefuses(t *testing.T) {
	good := publicPEM(t, generate(t, elliptic.P256()))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "no public key"},
		{"text", []byte("hello\n"), "no public key"},
		{"RSA", publicPEM(t, &rsaKey.PublicKey), "RSA keys are not supported"},
		{"Ed25519", publicPEM(t, edKey), "Ed25519 keys are not supported"},
		{"P-521", publicPEM(t, generate(t, elliptic.P521())), "P-521 are not supported"},
		{"P-224", publicPEM(t, generate(t, elliptic.P224())), "P-224 are not supported"},
		{"private key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}), `"EC PRIVATE KEY" is not a public key`},
		{"garbage in PEM", pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: []byte{1, 2}}), "does not parse"},
		{"second key cut short", append(bytes.Clone(good), good[:len(good)-40]...), "1 of its 2 PEM blocks are damaged"},
		{"first key damaged", append(bytes.Replace(good, []byte("M"), []byte("!"), 1), good...), "1 of its 2 PEM blocks are damaged"},
		{"second key refused", append(bytes.Clone(good), publicPEM(t, edKey)...), "key 2: Ed25519"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestIDOfHintLeavesForeignHints(t *testing.T) {
	for _, hint := range []string{"", "release-2026", "AAAA", strings.Repeat("A", 43) + "B"} {
		if got := IDOfHint(hint); got != hint {
			t.Errorf("IDOfHint(%q) = %q, want it unchanged", hint, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := Parse(text)
		if (err == nil) == (len(keys) == 0) {
			t.Fatalf("Parse gave %d keys and error %v", len(keys), err)
		}
		for _, k := range keys {
			if _, err := k.PEM(); err != nil {
				t.Fatalf("a parsed key has no PEM form: %v", err)
			}
		}
	})
}
