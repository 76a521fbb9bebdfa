package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// finding is what became of one signature.
type finding struct {
	predicateType string
	claimed       string      // the key id that it names; unverified
	named         *trustedKey // the accepted key that it names, if any: its fault is then proof of tampering
	signer        *trustedKey // the accepted key that made it; nil if there is none
	fault         error       // why it says nothing
}

// judge checks one signature of a release.
func (t *Trust) judge(release digest.Digest, s bundle.Signature) finding {
	f := finding{predicateType: s.PredicateType}
	e, err := parseEnvelope(s.Bundle)
	if err != nil {
		f.fault = err
		return f
	}
	f.claimed = pubkey.IDOfHint(e.hint)
	f.named = t.byHint(e.hint)
	if f.fault = checkStatement(e.payload, release, s.PredicateType); f.fault != nil {
		return f
	}
	if f.named == nil { // a hint is free text: any accepted key may have signed under it
		f.signer = t.signerOf(e.message(), e.signature)
		return f
	}
	if !e.message().signed(f.named.ECDSA, e.signature) {
		f.fault = errors.New("the key did not make this signature")
		return f
	}
	f.signer = f.named
	return f
}

// checkStatement tells whether a payload says, by a predicate of this type, something of this very digest.
func checkStatement(payload []byte, subject digest.Digest, predicateType string) error {
	s, err := parseStatement(payload)
	if err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	if s.predicateType != predicateType {
		return fmt.Errorf("it is a statement of type %.128q, not %.128q", s.predicateType, predicateType)
	}
	if s.subject != subject {
		return fmt.Errorf("it is for %s, not for %s", s.subject, subject)
	}
	return s.checkPredicate()
}

// attests tells an attestation from a signature of the release.
func (f finding) attests() bool { return f.predicateType != bundle.PredicateSignature }

// String says in a message who signed, or what is wrong.
func (f finding) String() string {
	what := "a signature"
	if f.attests() {
		what = "an attestation"
	}
	switch {
	case f.fault != nil && f.named != nil:
		return fmt.Sprintf("%s in the name of %s is wrong: %v", what, f.named.Signer, f.fault)
	case f.fault != nil:
		return fmt.Sprintf("%s cannot be used: %v", what, f.fault)
	case f.signer != nil:
		return "it is signed by " + f.signer.String()
	case strings.HasPrefix(f.claimed, "SHA256:"):
		return "it is signed by the key " + printable(f.claimed)
	default:
		return "it is signed by a key that calls itself " + printable(f.claimed)
	}
}

// printable makes text from a bundle fit for a terminal.
func printable(s string) string {
	if q := fmt.Sprintf("%.80q", s); q != `"`+s+`"` {
		return q
	}
	return s
}

// tampered tells whether nobody honest can have written this into the bundle: a wrong signature in the name of an accepted
// key, or an attestation that says nothing of this release. A signature of a kind that is not supported may be meant for
// other verifiers.
func (f finding) tampered() bool { return f.fault != nil && (f.named != nil || f.attests()) }

// signers gives the accepted keys that signed the release, each once, or the reason for refusing it.
func (t *Trust) signers(findings []finding) ([]Signer, error) {
	var good []Signer
	var others []string
	seen := map[string]bool{}
	hint := "ask the factory for a bundle that is signed by an accepted key"
	if !slices.ContainsFunc(findings, func(f finding) bool { return !f.attests() }) {
		return nil, refuse(ReasonUnsigned, hint, "the bundle is not trusted: nobody signed it; accepted keys: %s", t.names())
	}
	for _, f := range findings {
		if f.tampered() {
			return nil, refuse(ReasonSignature, "it was altered or damaged: get it again from the factory",
				"the bundle is not trusted: %s", f)
		}
		switch {
		case f.attests():
		case f.signer == nil:
			others = append(others, f.String())
		case !seen[f.signer.KeyID]:
			seen[f.signer.KeyID] = true
			good = append(good, f.signer.Signer)
		}
	}
	if len(good) > 0 {
		return good, nil
	}
	return nil, refuse(ReasonSignature, hint,
		"the bundle is not trusted: %s; accepted keys: %s", some(others, "; "), t.names())
}
