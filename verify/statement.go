package verify

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// statementType is the _type of an in-toto Statement v1.
const statementType = "https://in-toto.io/Statement/v1"

// statement is what of an in-toto statement matters here.
type statement struct {
	subject       digest.Digest
	predicateType string
	predicate     json.RawMessage // nil: there is none
}

// parseStatement reads an in-toto Statement v1 with one subject.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
func parseStatement(b []byte) (*statement, error) {
	o, err := parseObject(b, "_type", "subject", "predicateType", "predicate")
	if err != nil {
		return nil, err
	}
	kind, err := o.text("_type")
	if err != nil {
		return nil, err
	}
	if kind != statementType {
		return nil, fmt.Errorf("type %.128q is not %s", kind, statementType)
	}
	s := &statement{predicate: o["predicate"]}
	if s.predicateType, err = o.text("predicateType"); err != nil {
		return nil, err
	}
	if s.subject, err = parseSubject(o); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	return s, nil
}

func parseSubject(o object) (digest.Digest, error) {
	raw, err := o.only("subject")
	if err != nil {
		return "", err
	}
	subject, err := parseObject(raw, "name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations")
	if err != nil {
		return "", err
	}
	set, err := parseObject(subject["digest"])
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	encoded, err := set.text(digest.SHA256.String())
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	d := digest.NewDigestFromEncoded(digest.SHA256, encoded)
	if err := d.Validate(); err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return d, nil
}

// checkPredicate tells whether the predicate can be what its type says. What it tells beyond that is for other readers; a
// predicate that they could not read must not pass for an attestation here.
func (s *statement) checkPredicate() error {
	if s.predicate == nil && s.predicateType != predicateProvenance {
		return nil // in-toto leaves it to the type, and cosign's signatures have none
	}
	p, err := parseObject(s.predicate)
	if err != nil {
		return fmt.Errorf("predicate: %w", err)
	}
	if s.predicateType != predicateProvenance {
		return nil
	}
	if err := checkProvenance(p); err != nil {
		return fmt.Errorf("provenance: %w", err)
	}
	return nil
}

// checkProvenance checks what SLSA demands of every provenance: how something was built, and by whom.
// https://slsa.dev/spec/v1.0/provenance
func checkProvenance(p object) error {
	build, err := parseObject(p["buildDefinition"])
	if err != nil {
		return fmt.Errorf("buildDefinition: %w", err)
	}
	run, err := parseObject(p["runDetails"])
	if err != nil {
		return fmt.Errorf("runDetails: %w", err)
	}
	builder, err := parseObject(run["builder"])
	if err != nil {
		return fmt.Errorf("builder: %w", err)
	}
	kind, err := build.text("buildType")
	if err != nil {
		return err
	}
	id, err := builder.text("id")
	if err != nil {
		return err
	}
	if kind == "" || id == "" {
		return errors.New("it does not tell how the release was built and by whom")
	}
	return nil
}
