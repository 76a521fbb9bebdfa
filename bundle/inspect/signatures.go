package inspect

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Signature tells which key a signature says it is by. Nobody has verified that.
type Signature struct {
	KeyID string `json:"keyID"` // SHA256:… of the public key; empty if the signature does not say
	// Signer is what people call the key. A signature does not tell it; who knows the key's name may fill it in.
	Signer string `json:"signer"`
}

// signatures lists the release's signatures; attestations are counted elsewhere.
func signatures(sigs []bundle.Signature) []Signature {
	out := []Signature{}
	for _, s := range sigs {
		if !s.Attests() {
			out = append(out, Signature{KeyID: keyID(s.Bundle)})
		}
	}
	return out
}

// keyID turns the hint in a Sigstore bundle into the id by which we call keys. cosign's hint is the base64 form of the
// SHA-256 of the public key.
func keyID(sigstoreBundle []byte) string {
	var b struct {
		VerificationMaterial struct {
			PublicKey struct {
				Hint string `json:"hint"`
			} `json:"publicKey"`
		} `json:"verificationMaterial"`
	}
	if json.Unmarshal(sigstoreBundle, &b) != nil {
		return ""
	}
	hint := b.VerificationMaterial.PublicKey.Hint
	if sum, err := base64.StdEncoding.DecodeString(hint); err == nil && len(sum) == 32 {
		return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum)
	}
	return ""
}

// attestations counts the statements about the release and about its images: all that is not a signature or an SBOM.
func attestations(r *bundle.Reader) int {
	var n int
	for _, s := range r.Signatures() {
		if s.Attests() {
			n++
		}
	}
	for _, im := range r.Descriptor().Images {
		for _, a := range im.Attached {
			if attests(a) {
				n++
			}
		}
	}
	return n
}

// predicateType is the annotation by which cosign tells what the statement in a referrer says.
const predicateType = "dev.sigstore.bundle.predicateType"

func attests(a bundle.Attached) bool {
	if a.Tag != "" {
		return strings.HasSuffix(a.Tag, ".att")
	}
	if p := a.Annotations[predicateType]; p != "" {
		return p != bundle.PredicateSignature
	}
	return strings.HasPrefix(a.ArtifactType, "application/vnd.in-toto")
}
