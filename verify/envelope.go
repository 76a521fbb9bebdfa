package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// mediaTypeStatement is what an envelope must hold: an in-toto statement.
const mediaTypeStatement = "application/vnd.in-toto+json"

// maxHint bounds the hint that names a key.
const maxHint = 256

// envelope is a Sigstore bundle v0.3 that holds a DSSE envelope and names a key. Nothing of it is verified.
type envelope struct {
	hint        string // names the key: a claim
	payloadType string
	payload     []byte
	signature   []byte
}

// parseEnvelope reads a Sigstore bundle.
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
func parseEnvelope(b []byte) (*envelope, error) {
	if len(b) > bundle.MaxManifestSize {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(b), bundle.MaxManifestSize)
	}
	o, err := parseObject(b, "mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature")
	if err != nil {
		return nil, err
	}
	mediaType, err := o.text("mediaType")
	if err != nil {
		return nil, err
	}
	if mediaType != bundle.MediaTypeSigstoreBundle {
		return nil, fmt.Errorf("media type %.128q is not a Sigstore bundle v0.3", mediaType)
	}
	if _, blob := o["messageSignature"]; blob {
		return nil, errors.New("it signs a file, not a release: it has no DSSE envelope")
	}
	e := &envelope{}
	if err := e.parseMaterial(o["verificationMaterial"]); err != nil {
		return nil, fmt.Errorf("verification material: %w", err)
	}
	if err := e.parseDSSE(o["dsseEnvelope"]); err != nil {
		return nil, fmt.Errorf("DSSE envelope: %w", err)
	}
	return e, nil
}

// parseMaterial finds out which key is claimed. Log entries and timestamps are let pass unread.
func (e *envelope) parseMaterial(b []byte) error {
	o, err := parseObject(b, "publicKey", "certificate", "x509CertificateChain", "tlogEntries", "timestampVerificationData")
	if err != nil {
		return err
	}
	key, ok := o["publicKey"]
	if !ok {
		return errors.New("it names no key: signatures by certificate (keyless) are not supported")
	}
	if o["certificate"] != nil || o["x509CertificateChain"] != nil {
		return errors.New("it names both a key and a certificate")
	}
	k, err := parseObject(key, "hint")
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	if e.hint, err = k.text("hint"); err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	if len(e.hint) > maxHint {
		return fmt.Errorf("public key: the hint has more than %d bytes", maxHint)
	}
	return nil
}

func (e *envelope) parseDSSE(b []byte) error {
	o, err := parseObject(b, "payload", "payloadType", "signatures")
	if err != nil {
		return err
	}
	if e.payload, err = o.binary("payload"); err != nil {
		return err
	}
	if e.payloadType, err = o.text("payloadType"); err != nil {
		return err
	}
	if e.payloadType != mediaTypeStatement {
		return fmt.Errorf("payload type %.128q is not %s", e.payloadType, mediaTypeStatement)
	}
	raw, err := o.only("signatures")
	if err != nil {
		return err
	}
	s, err := parseObject(raw, "sig")
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if e.signature, err = s.binary("sig"); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if len(e.signature) == 0 {
		return errors.New("the signature is empty")
	}
	return nil
}

// message is what the signature is over.
func (e *envelope) message() message { return newMessage(preAuthEncoding(e.payloadType, e.payload)) }

// preAuthEncoding is what DSSE signs: https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md
func preAuthEncoding(payloadType string, payload []byte) []byte {
	head := fmt.Sprintf("DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
	return append([]byte(head), payload...)
}

// message is signed bytes, hashed once however many keys a signature is tried with.
type message struct{ sha256, sha384 []byte }

func newMessage(b []byte) message {
	short, long := sha256.Sum256(b), sha512.Sum384(b)
	return message{short[:], long[:]}
}

// signed checks an ECDSA signature in ASN.1 form. For P-384 Sigstore's hash is SHA-384, but cosign's verifier takes
// SHA-256 unless told otherwise, so signatures of both kinds are met.
func (m message) signed(key *ecdsa.PublicKey, signature []byte) bool {
	if key.Curve == elliptic.P384() && ecdsa.VerifyASN1(key, m.sha384, signature) {
		return true
	}
	return ecdsa.VerifyASN1(key, m.sha256, signature)
}

// Claimed gives the id of the key in whose name a Sigstore bundle is, for display only: nothing is verified. A hint that
// is not cosign's comes back as it stands, quoted if it could harm a terminal.
func Claimed(sigstoreBundle []byte) (string, error) {
	e, err := parseEnvelope(sigstoreBundle)
	if err != nil {
		return "", err
	}
	return printable(pubkey.IDOfHint(e.hint)), nil
}
