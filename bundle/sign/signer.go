package sign

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// Signer signs with one key. It is safe for use by several goroutines if its key is.
type Signer struct {
	name string
	pair *keypair
}

// New makes a signer from any private key that signs digests: one in memory, in a token or behind a service. The key is
// ECDSA on P-256 or P-384.
func New(name string, key crypto.Signer) (*Signer, error) {
	public, err := pubkey.New(key.Public())
	if err != nil {
		return nil, err
	}
	pair, err := newKeypair(key, public)
	if err != nil {
		return nil, err
	}
	return &Signer{name: name, pair: pair}, nil
}

// Name is what people call the key.
func (s *Signer) Name() string { return s.name }

// KeyID is the id by which a verifier knows the key: "SHA256:…".
func (s *Signer) KeyID() string { return s.pair.public.ID }

// PublicKey is the key's public half as a .pub file holds it.
func (s *Signer) PublicKey() ([]byte, error) { return s.pair.public.PEM() }

// SignRelease signs a release manifest by its digest and returns the Sigstore bundle, which `cosign verify
// --new-bundle-format` accepts for an image with that digest.
func (s *Signer) SignRelease(ctx context.Context, release digest.Digest) ([]byte, error) {
	statement, err := attest.ReleaseSignature(release)
	if err != nil {
		return nil, err
	}
	return s.SignStatement(ctx, statement)
}

// SignStatement puts an in-toto statement into a signed DSSE envelope and returns the Sigstore bundle.
func (s *Signer) SignStatement(ctx context.Context, statement []byte) ([]byte, error) {
	content := &sigstore.DSSEData{Data: statement, PayloadType: attest.PayloadType}
	signed, err := sigstore.Bundle(content, s.pair, sigstore.BundleOptions{Context: ctx})
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", s.name, err)
	}
	text, err := protojson.Marshal(signed)
	if err != nil {
		return nil, fmt.Errorf("encode the signature: %w", err)
	}
	// protojson varies its white space from build to build on purpose.
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("encode the signature: %w", err)
	}
	return compact.Bytes(), nil
}
