package sign

import (
	"context"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
)

// Release gives the signatures that a bundle has once each of the signers has signed its release, and the provenance that
// the bundle carries. have are those that it has: they stay, but for provenance that nobody has signed yet.
func Release(ctx context.Context, release ocispec.Descriptor, have []bundle.Signature, signers ...*Signer) ([]bundle.Signature, error) {
	var kept []bundle.Signature
	var told []provenance
	for _, s := range have {
		if s.PredicateType != attest.PredicateProvenance {
			kept = append(kept, s)
			continue
		}
		a, err := openProvenance(s, release)
		if err != nil {
			return nil, err
		}
		told = merge(told, a)
		if a.Signed {
			kept = append(kept, s)
		}
	}
	for _, s := range signers {
		text, err := s.SignRelease(ctx, release.Digest)
		if kept, err = attach(kept, release, text, bundle.PredicateSignature, err); err != nil {
			return nil, err
		}
	}
	for _, p := range told {
		for _, s := range signers {
			if slices.Contains(p.hints, s.pair.public.Hint) {
				continue
			}
			text, err := s.SignStatement(ctx, p.statement)
			if kept, err = attach(kept, release, text, attest.PredicateProvenance, err); err != nil {
				return nil, err
			}
		}
	}
	return kept, nil
}

func attach(list []bundle.Signature, release ocispec.Descriptor, text []byte, predicateType string, err error) ([]bundle.Signature, error) {
	if err != nil {
		return nil, err
	}
	sig, err := bundle.NewSignature(release, text, predicateType)
	return append(list, sig), err
}

// provenance is a statement, with the hints of the keys that have signed it.
type provenance struct {
	statement []byte
	hints     []string
}

func openProvenance(s bundle.Signature, release ocispec.Descriptor) (attest.Attestation, error) {
	a, err := attest.Open(s.Bundle)
	if err == nil {
		err = a.Tells(attest.PredicateProvenance, release.Digest)
	}
	if err != nil {
		return a, &Error{reason: "signature", hint: "get the bundle again from where it was built",
			text: "the provenance in the bundle cannot be signed: " + err.Error(), cause: err}
	}
	return a, nil
}

// merge counts one statement once, however many have signed it.
func merge(list []provenance, a attest.Attestation) []provenance {
	i := slices.IndexFunc(list, func(p provenance) bool { return string(p.statement) == string(a.Statement) })
	if i < 0 {
		list = append(list, provenance{statement: a.Statement})
		i = len(list) - 1
	}
	if a.Signed {
		list[i].hints = append(list[i].hints, a.Hint)
	}
	return list
}
