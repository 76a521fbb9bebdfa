package verify

import (
	"errors"
	"fmt"
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
	f.signer = t.signerOf(e.message(), e.signature)
	if f.named != nil && f.signer != f.named {
		f.signer = nil
		f.fault = errors.New("the key did not make this signature")
	}
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
	return nil
}

// String says in a message who signed, or what is wrong.
func (f finding) String() string {
	switch {
	case f.fault != nil && f.named != nil:
		return fmt.Sprintf("a signature in the name of %s is wrong: %v", f.named.Signer, f.fault)
	case f.fault != nil:
		return fmt.Sprintf("a signature cannot be used: %v", f.fault)
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

// signers gives the accepted keys that signed the release, each once, or the reason for refusing it.
func (t *Trust) signers(findings []finding) ([]Signer, error) {
	var good []Signer
	var others []string
	seen := map[string]bool{}
	for _, f := range findings {
		if f.named != nil && f.fault != nil {
			return nil, refuse(ReasonSignature, "it was altered or damaged: get it again from the factory",
				"the bundle is not trusted: %s", f)
		}
		switch {
		case f.predicateType != bundle.PredicateSignature:
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
	hint := "ask the factory for a bundle that is signed by an accepted key"
	if len(others) == 0 {
		return nil, refuse(ReasonUnsigned, hint, "the bundle is not trusted: nobody signed it; accepted keys: %s", t.names())
	}
	return nil, refuse(ReasonSignature, hint,
		"the bundle is not trusted: %s; accepted keys: %s", some(others, "; "), t.names())
}
