package verify

import (
	"fmt"

	"github.com/opencontainers/go-digest"
)

// statementType is the _type of an in-toto Statement v1.
const statementType = "https://in-toto.io/Statement/v1"

// statement is what of an in-toto statement matters here. Predicates are signed for other readers.
type statement struct {
	subject       digest.Digest
	predicateType string
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
	s := &statement{}
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
