package attest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// envelope is what matters here of a Sigstore bundle v0.3 around an in-toto statement.
type envelope struct {
	MediaType string   `json:"mediaType"`
	Material  material `json:"verificationMaterial"`
	DSSE      dsse     `json:"dsseEnvelope"`
}

type material struct {
	PublicKey struct {
		Hint string `json:"hint,omitempty"`
	} `json:"publicKey"`
}

type dsse struct {
	Payload     []byte            `json:"payload"`
	PayloadType string            `json:"payloadType"`
	Signatures  []json.RawMessage `json:"signatures"`
}

// Unsigned puts a statement into a Sigstore bundle that nobody has signed. A bundle that is built without a key carries its
// provenance so, until somebody signs it.
func Unsigned(statement []byte) ([]byte, error) {
	return marshal(envelope{MediaType: bundle.MediaTypeSigstoreBundle,
		DSSE: dsse{Payload: statement, PayloadType: PayloadType, Signatures: []json.RawMessage{}}})
}

// Signed puts a statement and one signature of it into a Sigstore bundle. The hint names the key as cosign does.
func Signed(statement []byte, hint string, signature []byte) ([]byte, error) {
	sig, err := json.Marshal(struct {
		Sig []byte `json:"sig"`
	}{signature})
	if err != nil {
		return nil, err
	}
	e := envelope{MediaType: bundle.MediaTypeSigstoreBundle,
		DSSE: dsse{Payload: statement, PayloadType: PayloadType, Signatures: []json.RawMessage{sig}}}
	e.Material.PublicKey.Hint = hint
	return marshal(e)
}

// Attestation is a statement as it stands in a bundle. Nothing of it is verified.
type Attestation struct {
	Statement []byte
	Hint      string // names the key; empty if nobody signed it
	Signed    bool
}

// Open takes the statement out of a Sigstore bundle.
func Open(sigstoreBundle []byte) (Attestation, error) {
	var e envelope
	if err := json.Unmarshal(sigstoreBundle, &e); err != nil {
		return Attestation{}, fmt.Errorf("read an attestation: %w", err)
	}
	if e.DSSE.PayloadType != PayloadType {
		return Attestation{}, errors.New("read an attestation: it holds no in-toto statement")
	}
	return Attestation{Statement: e.DSSE.Payload, Hint: e.Material.PublicKey.Hint, Signed: len(e.DSSE.Signatures) > 0}, nil
}

// Tells checks that the statement is one of this type about this release, and of nothing beside it: who signs it answers for it.
func (a Attestation) Tells(predicateType string, release digest.Digest) error {
	var s struct {
		Type          string     `json:"_type"`
		Subject       []Resource `json:"subject"`
		PredicateType string     `json:"predicateType"`
	}
	if err := json.Unmarshal(a.Statement, &s); err != nil {
		return fmt.Errorf("read an attestation: %w", err)
	}
	if s.Type != StatementType || s.PredicateType != predicateType {
		return fmt.Errorf("it is a statement of type %.128q, not %s", s.PredicateType, predicateType)
	}
	if len(s.Subject) != 1 || s.Subject[0].Digest[release.Algorithm().String()] != release.Encoded() {
		return errors.New("it is about something else than this release")
	}
	return nil
}
