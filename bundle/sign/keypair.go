package sign

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// keypair is a private key as sigstore-go wants it. The hint, the hash and the algorithm are those that cosign uses for
// such a key.
type keypair struct {
	key       crypto.Signer
	public    pubkey.Key
	algorithm signature.AlgorithmDetails
}

func newKeypair(key crypto.Signer, public pubkey.Key) (*keypair, error) {
	algorithm, err := signature.GetDefaultAlgorithmDetails(public.ECDSA)
	if err != nil {
		return nil, fmt.Errorf("choose the signature algorithm: %w", err)
	}
	return &keypair{key: key, public: public, algorithm: algorithm}, nil
}

func (k *keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return k.algorithm.GetProtoHashType()
}

func (k *keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.algorithm.GetSignatureAlgorithm()
}

func (k *keypair) GetHint() []byte { return []byte(k.public.Hint) }

func (k *keypair) GetKeyAlgorithm() string { return "ECDSA" }

func (k *keypair) GetPublicKey() crypto.PublicKey { return k.public.ECDSA }

func (k *keypair) GetPublicKeyPem() (string, error) {
	text, err := k.public.PEM()
	return string(text), err
}

// SignData returns the signature of data and the digest that was signed.
func (k *keypair) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	hash := k.algorithm.GetHashType()
	h := hash.New()
	h.Write(data)
	digest = h.Sum(nil)
	sig, err = k.key.Sign(rand.Reader, digest, hash)
	return sig, digest, err
}
