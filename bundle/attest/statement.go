// Package attest writes the in-toto statements that a release carries: the one that its signature signs, and its SLSA
// provenance. Statements come out as bytes, always the same for the same inputs; package sign puts them into signed
// envelopes.
package attest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

const (
	// StatementType is the _type of an in-toto Statement v1.
	StatementType = "https://in-toto.io/Statement/v1"
	// PayloadType is the media type of a statement in a DSSE envelope.
	PayloadType = "application/vnd.in-toto+json"
	// PredicateProvenance is the predicate type of SLSA v1 provenance.
	PredicateProvenance = "https://slsa.dev/provenance/v1"
)

// statement is an in-toto Statement v1.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
type statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     any        `json:"predicate,omitempty"`
}

// Resource is an in-toto ResourceDescriptor: one artifact, known by its digest.
// https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
type Resource struct {
	Name      string            `json:"name,omitempty"`
	URI       string            `json:"uri,omitempty"`
	Digest    map[string]string `json:"digest,omitempty"`
	MediaType string            `json:"mediaType,omitempty"`
	// Annotations hold what the other fields have no place for.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ReleaseSignature returns the statement that a signature of the release signs. It is the one that
// `cosign sign --new-bundle-format` makes for an image with this digest: cosign verifies ours, we verify cosign's.
func ReleaseSignature(release digest.Digest) ([]byte, error) {
	set, err := digestSet(release)
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return marshal(statement{
		Type:          StatementType,
		Subject:       []Resource{{Digest: set}},
		PredicateType: bundle.PredicateSignature,
	})
}

// Statement returns an in-toto statement of a predicate type about one artifact.
func Statement(about Resource, predicateType string, predicate any) ([]byte, error) {
	return marshal(statement{Type: StatementType, Subject: []Resource{about}, PredicateType: predicateType, Predicate: predicate})
}

// digestSet splits a digest as in-toto writes it.
func digestSet(d digest.Digest) (map[string]string, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("digest %q: %w", d, err)
	}
	return map[string]string{d.Algorithm().String(): d.Encoded()}, nil
}

// marshal writes compact JSON and, unlike json.Marshal, leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
