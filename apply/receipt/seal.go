package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/internal/pubkey"
	"github.com/sallyport-dev/sallyport/verify"
)

// MaxSize bounds a statement in its envelope, in bytes.
const MaxSize = 1 << 20

// Sealed is a signed statement.
type Sealed struct {
	Bytes  []byte        // the envelope
	Digest digest.Digest // of the statement, which is what the next receipt names
}

// Seal signs a receipt.
func (k *Key) Seal(r *Receipt) (Sealed, error) {
	return k.seal(about(r.Release), PredicateReceipt, r)
}

// SealEnrolment signs an enrolment of the key itself.
func (k *Key) SealEnrolment(e Enrolment) (Sealed, error) {
	text, err := k.PEM()
	if err != nil {
		return Sealed{}, err
	}
	e.Key = string(text)
	return k.sealOwn(e.Site.Name, PredicateEnrolment, e)
}

// SealPresence signs how the site is.
func (k *Key) SealPresence(p Presence) (Sealed, error) {
	return k.sealOwn(p.Site.Name, PredicateStanding, p)
}

// sealOwn signs a statement about the site's key.
func (k *Key) sealOwn(site, predicateType string, predicate any) (Sealed, error) {
	d, err := digestOf(k.Key)
	if err != nil {
		return Sealed{}, err
	}
	return k.seal(attest.Resource{Name: site, Digest: map[string]string{string(d.Algorithm()): d.Encoded()}}, predicateType, predicate)
}

func about(r Release) attest.Resource {
	return attest.Resource{Name: r.Name + " " + r.Version, Digest: map[string]string{string(r.Digest.Algorithm()): r.Digest.Encoded()}}
}

func (k *Key) seal(about attest.Resource, predicateType string, predicate any) (Sealed, error) {
	statement, err := attest.Statement(about, predicateType, predicate)
	if err != nil {
		return Sealed{}, err
	}
	sig, err := k.sign(verify.Encoding(statement))
	if err != nil {
		return Sealed{}, err
	}
	envelope, err := attest.Signed(statement, k.Hint, sig)
	if err == nil && len(envelope) > MaxSize {
		err = fmt.Errorf("the statement has %d bytes, more than %d", len(envelope), MaxSize)
	}
	return Sealed{envelope, digest.FromBytes(statement)}, err
}

// Statement is what a file of receipts holds. Exactly one of Receipt, Enrolment and Presence is set. Nothing of it is verified
// before By.
type Statement struct {
	Digest    digest.Digest
	Receipt   *Receipt
	Enrolment *Enrolment
	Presence  *Presence

	signed *verify.Signed
}

// head is a statement without what it says. Of the subject only one is looked at: there is one.
type head struct {
	Type          string            `json:"_type"`
	Subject       []attest.Resource `json:"subject"`
	PredicateType string            `json:"predicateType"`
	Predicate     json.RawMessage   `json:"predicate"`
}

// Open reads an envelope of one of the three statements, and checks no signature.
func Open(envelope []byte) (*Statement, error) {
	if len(envelope) > MaxSize {
		return nil, fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	signed, err := verify.ParseSigned(envelope)
	if err != nil {
		return nil, err
	}
	var h head
	if err := decode(signed.Claim(), &h); err != nil {
		return nil, err
	}
	if h.Type != attest.StatementType || len(h.Subject) != 1 {
		return nil, errors.New("it is no in-toto statement about one thing")
	}
	s := &Statement{Digest: digest.FromBytes(signed.Claim()), signed: signed}
	var to any
	switch h.PredicateType {
	case PredicateReceipt:
		s.Receipt = new(Receipt)
		to = s.Receipt
	case PredicateEnrolment:
		s.Enrolment = new(Enrolment)
		to = s.Enrolment
	case PredicateStanding:
		s.Presence = new(Presence)
		to = s.Presence
	default:
		return nil, fmt.Errorf("it is a statement of type %.128q", h.PredicateType)
	}
	// Fields that a newer sallyport has added are let pass.
	if err := json.Unmarshal(h.Predicate, to); err != nil {
		return nil, fmt.Errorf("its predicate: %w", err)
	}
	return s, s.check(h.Subject[0])
}

func decode(b []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

// Site is who tells.
func (s *Statement) Site() Site {
	switch {
	case s.Receipt != nil:
		return s.Receipt.Site
	case s.Enrolment != nil:
		return s.Enrolment.Site
	}
	return s.Presence.Site
}

// KeyID is the id of the key that the statement says it is signed by.
func (s *Statement) KeyID() string { return pubkey.IDOfHint(s.signed.Hint()) }

// By tells whether the key has signed the statement.
func (s *Statement) By(key pubkey.Key) error {
	_, err := s.signed.By(key)
	return err
}

// OwnKey is the key that an enrolment names, if that key has signed it.
func (s *Statement) OwnKey() (pubkey.Key, error) {
	if s.Enrolment == nil {
		return pubkey.Key{}, errors.New("it is no enrolment")
	}
	keys, err := pubkey.Parse([]byte(s.Enrolment.Key))
	if err != nil {
		return pubkey.Key{}, err
	}
	if len(keys) != 1 {
		return pubkey.Key{}, errors.New("it enrols more than one key")
	}
	return keys[0], s.By(keys[0])
}
