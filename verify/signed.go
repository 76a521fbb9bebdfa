package verify

import (
	"errors"

	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// Signed is an in-toto statement in an envelope, as ParseSigned found it. Nothing of it is verified before By.
type Signed struct{ e *envelope }

// ParseSigned reads a Sigstore bundle around an in-toto statement. It has checked no signature.
func ParseSigned(sigstoreBundle []byte) (*Signed, error) {
	e, err := parseEnvelope(sigstoreBundle)
	if err != nil {
		return nil, err
	}
	return &Signed{e}, nil
}

// Hint is what the envelope names its key by: a claim.
func (s *Signed) Hint() string { return s.e.hint }

// Claim is the statement as it stands, which anybody may have written: good for finding the key that it has to be signed by.
func (s *Signed) Claim() []byte { return s.e.payload }

// By returns the statement if the key has signed it.
func (s *Signed) By(key pubkey.Key) ([]byte, error) {
	if !s.e.message().signed(key.ECDSA, s.e.signature) {
		return nil, errors.New("the signature is not by " + key.ID)
	}
	return s.e.payload, nil
}

// Encoding is what a signature of an in-toto statement is over: its DSSE pre-authentication encoding.
func Encoding(statement []byte) []byte { return preAuthEncoding(mediaTypeStatement, statement) }
