package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
)

// unsigned is provenance that nobody has signed, of a release.
func unsigned(t *testing.T, release, about ocispec.Descriptor) bundle.Signature {
	t.Helper()
	statement, err := attest.Provenance{Release: about.Digest, Descriptor: &bundle.Descriptor{Name: "shop"}, Spec: []byte("{}")}.Statement()
	if err != nil {
		t.Fatal(err)
	}
	text, err := attest.Unsigned(statement)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bundle.NewSignature(release, text, attest.PredicateProvenance)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRelease signs a release one key after the other: each signs the one statement, once.
func TestRelease(t *testing.T) {
	release := ocispec.Descriptor{Digest: digest.FromString("a release"), Size: 9}
	a, b := newSigner(t, "a"), newSigner(t, "b")
	have := []bundle.Signature{unsigned(t, release, release)}
	statement, err := attest.Open(have[0].Bundle)
	if err != nil || statement.Signed {
		t.Fatalf("provenance reads as signed: %v", err)
	}
	for _, step := range []struct {
		signer *Signer
		want   string // whose signatures (lower case) and provenance (upper case) the bundle has then
	}{{a, "aA"}, {b, "aAbB"}, {b, "aAbBb"}} {
		if have, err = Release(t.Context(), release, have, step.signer); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range have {
			x, err := attest.Open(s.Bundle)
			if err != nil || !x.Signed {
				t.Fatalf("%s: a signature that nobody made, %v", step.want, err)
			}
			who := map[string]string{a.pair.public.Hint: "a", b.pair.public.Hint: "b"}[x.Hint]
			if s.Attests() {
				who = strings.ToUpper(who)
				if string(x.Statement) != string(statement.Statement) {
					t.Errorf("%s: another statement was signed", step.want)
				}
			}
			got += who
		}
		if got != step.want {
			t.Errorf("signatures %s, want %s", got, step.want)
		}
	}
}

// TestReleaseRefuses to sign statements that are not about the release: a key answers for what it signs.
func TestReleaseRefuses(t *testing.T) {
	release := ocispec.Descriptor{Digest: digest.FromString("a release"), Size: 9}
	broken := unsigned(t, release, release)
	broken.Bundle = []byte("no JSON")
	for name, s := range map[string]bundle.Signature{
		"another release": unsigned(t, release, ocispec.Descriptor{Digest: digest.FromString("another")}),
		"broken":          broken,
	} {
		_, err := Release(t.Context(), release, []bundle.Signature{s}, newSigner(t, "a"))
		var e *Error
		if !errors.As(err, &e) || e.Reason() != "signature" || e.Hint() == "" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func newSigner(t *testing.T, name string) *Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(name, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
