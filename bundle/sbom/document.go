package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/anchore/syft/syft/artifact"
	"github.com/anchore/syft/syft/format/common/cyclonedxhelpers"
	"github.com/anchore/syft/syft/format/common/spdxhelpers"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
)

// namespace prefixes the identifiers of the documents. Nothing needs to answer there.
const namespace = "https://sallyport.dev/sbom/"

// encode writes found in one format, and what was left out. The document's identifier is derived from its own content,
// as SPDX demands one identifier per document.
func encode(format string, found *sbom.SBOM, manifest digest.Digest, created time.Time, left []string) ([]byte, error) {
	s := *found
	s.Relationships = amongPackages(found.Relationships)
	s.Artifacts.Unknowns = nil // files in which syft found nothing; SPDX would name them with false checksums
	write := writeSPDX
	if format == FormatCycloneDX {
		write = writeCycloneDX
	}
	draft, err := write(s, uuid.Nil, manifest, created, left)
	if err != nil {
		return nil, err
	}
	return write(s, uuid.NewSHA1(uuid.NameSpaceURL, draft), manifest, created, left)
}

// amongPackages drops relationships with files: without digests, SPDX could name those only with false checksums.
func amongPackages(all []artifact.Relationship) []artifact.Relationship {
	kept := make([]artifact.Relationship, 0, len(all))
	for _, r := range all {
		if isPackage(r.From) && isPackage(r.To) {
			kept = append(kept, r)
		}
	}
	key := func(r artifact.Relationship) string {
		return fmt.Sprintf("%s %s %s", r.From.ID(), r.Type, r.To.ID())
	}
	slices.SortFunc(kept, func(a, b artifact.Relationship) int { return strings.Compare(key(a), key(b)) })
	return kept
}

func isPackage(x artifact.Identifiable) bool {
	switch x.(type) {
	case pkg.Package, *pkg.Package:
		return true
	}
	return false
}

func writeSPDX(s sbom.SBOM, id uuid.UUID, manifest digest.Digest, created time.Time, left []string) ([]byte, error) {
	doc := spdxhelpers.ToFormatModel(s)
	doc.DocumentNamespace = namespace + manifest.Encoded() + "/" + id.String()
	doc.CreationInfo.Created = created.Format(time.RFC3339)
	if len(left) > 0 {
		doc.DocumentComment = "Not looked into:\n" + strings.Join(left, "\n")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(doc)
	return b.Bytes(), err
}

func writeCycloneDX(s sbom.SBOM, id uuid.UUID, _ digest.Digest, created time.Time, left []string) ([]byte, error) {
	bom := cyclonedxhelpers.ToFormatModel(s)
	bom.SerialNumber = id.URN()
	bom.Metadata.Timestamp = created.Format(time.RFC3339)
	if len(left) > 0 {
		bom.Compositions = &[]cyclonedx.Composition{{Aggregate: cyclonedx.CompositionAggregateIncomplete}}
		bom.Metadata.Properties = notLookedInto(bom.Metadata.Properties, left)
	}
	var b bytes.Buffer
	enc := cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON)
	enc.SetEscapeHTML(false)
	err := enc.Encode(bom)
	return b.Bytes(), err
}

// notLookedInto adds a property for each thing that was left out.
func notLookedInto(properties *[]cyclonedx.Property, left []string) *[]cyclonedx.Property {
	var all []cyclonedx.Property
	if properties != nil {
		all = *properties
	}
	for _, l := range left {
		all = append(all, cyclonedx.Property{Name: "sallyport:not-looked-into", Value: l})
	}
	return &all
}

// window is how far back a match may lie in a compressed document: what a site has memory for when it reads one.
const window = 8 << 20

// compress packs a document. One goroutine, because the output depends on how the work is split.
func compress(raw []byte) ([]byte, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithWindowSize(window))
	if err != nil {
		return nil, fmt.Errorf("starting zstd: %w", err)
	}
	defer enc.Close()
	return enc.EncodeAll(raw, nil), nil
}
