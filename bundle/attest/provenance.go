package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// BuildType says what the parameters of our provenance mean: externalParameters.spec is the release.yaml as the builder
// understood it; resolvedDependencies are the images, bases, parts of the operating system and rendered manifests that went in; byproducts the SBOMs.
const BuildType = "https://sallyport.dev/build/v1"

// BuilderID names the builder in provenance when Provenance.BuilderID is empty.
const BuilderID = "https://sallyport.dev/builder/v1"

// Provenance is what SLSA provenance of a release is made from.
type Provenance struct {
	// Release is the digest of the release manifest, Descriptor the release itself.
	Release    digest.Digest
	Descriptor *bundle.Descriptor
	// Spec is the release specification (release.yaml) as JSON: an object.
	Spec json.RawMessage
	// BuilderID is a URI that names whoever ran the build; empty stands for the constant of that name.
	BuilderID string
	// BuilderVersion is the version of the program; empty is left out.
	BuilderVersion string
	// Invocation names the one run, such as a CI job's URL; empty is left out.
	Invocation string
	// Started and Finished are left out if zero. Nothing here reads a clock.
	Started, Finished time.Time
}

// The predicate, https://slsa.dev/spec/v1.0/provenance .
type (
	predicate struct {
		BuildDefinition buildDefinition `json:"buildDefinition"`
		RunDetails      runDetails      `json:"runDetails"`
	}
	buildDefinition struct {
		BuildType            string             `json:"buildType"`
		ExternalParameters   externalParameters `json:"externalParameters"`
		ResolvedDependencies []Resource         `json:"resolvedDependencies"`
	}
	externalParameters struct {
		Spec json.RawMessage `json:"spec"`
	}
	runDetails struct {
		Builder    builder    `json:"builder"`
		Metadata   *metadata  `json:"metadata,omitempty"`
		Byproducts []Resource `json:"byproducts,omitempty"`
	}
	builder struct {
		ID      string            `json:"id"`
		Version map[string]string `json:"version,omitempty"`
	}
	metadata struct {
		InvocationID string `json:"invocationId,omitempty"`
		StartedOn    string `json:"startedOn,omitempty"`
		FinishedOn   string `json:"finishedOn,omitempty"`
	}
)

// Statement returns the provenance as an in-toto statement about the release manifest.
func (p Provenance) Statement() ([]byte, error) {
	b, err := p.statement()
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return b, nil
}

func (p Provenance) statement() ([]byte, error) {
	if p.Descriptor == nil {
		return nil, errors.New("no descriptor")
	}
	set, err := digestSet(p.Release)
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	if !isObject(p.Spec) {
		return nil, errors.New("the spec is not a JSON object")
	}
	dependencies, err := dependencies(p.Descriptor)
	if err != nil {
		return nil, err
	}
	byproducts, err := byproducts(p.Descriptor)
	if err != nil {
		return nil, err
	}
	return marshal(statement{
		Type:          StatementType,
		Subject:       []Resource{{Name: p.Descriptor.Name, Digest: set}},
		PredicateType: PredicateProvenance,
		Predicate: predicate{
			BuildDefinition: buildDefinition{
				BuildType:            BuildType,
				ExternalParameters:   externalParameters{Spec: p.Spec},
				ResolvedDependencies: dependencies,
			},
			RunDetails: runDetails{Builder: p.builder(), Metadata: p.metadata(), Byproducts: byproducts},
		},
	})
}

func isObject(b json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(b, &fields) == nil && fields != nil
}

func (p Provenance) builder() builder {
	b := builder{ID: p.BuilderID}
	if b.ID == "" {
		b.ID = BuilderID
	}
	if p.BuilderVersion != "" {
		b.Version = map[string]string{"sallyport": p.BuilderVersion}
	}
	return b
}

func (p Provenance) metadata() *metadata {
	m := metadata{InvocationID: p.Invocation, StartedOn: timestamp(p.Started), FinishedOn: timestamp(p.Finished)}
	if m == (metadata{}) {
		return nil
	}
	return &m
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// dependencies are what went into the release, in the descriptor's order: images, bases, the operating system's parts,
// rendered manifests.
func dependencies(d *bundle.Descriptor) ([]Resource, error) {
	list := make([]Resource, 0, len(d.Images)+len(d.Bases)+1)
	for _, image := range d.Images {
		set, err := digestSet(image.Digest)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image.Name, err)
		}
		list = append(list, Resource{Name: image.Name, URI: "oci://" + image.Name, Digest: set, MediaType: image.MediaType})
	}
	for _, base := range d.Bases {
		set, err := digestSet(base.Digest)
		if err != nil {
			return nil, fmt.Errorf("base %s %s: %w", base.Name, base.Version, err)
		}
		list = append(list, Resource{
			Name:        base.Name,
			Digest:      set,
			MediaType:   bundle.ArtifactType,
			Annotations: map[string]string{"role": "base", "version": base.Version},
		})
	}
	parts, err := parts(d.OS)
	if err != nil {
		return nil, err
	}
	list = append(list, parts...)
	if d.Manifests.Digest == "" {
		return list, nil
	}
	set, err := digestSet(d.Manifests.Digest)
	if err != nil {
		return nil, fmt.Errorf("manifests: %w", err)
	}
	return append(list, Resource{Name: "manifests", Digest: set, MediaType: bundle.MediaTypeObjects}), nil
}

// parts are those of the operating system.
func parts(o *bundle.OS) ([]Resource, error) {
	if o == nil {
		return nil, nil
	}
	var list []Resource
	for _, p := range o.Parts {
		set, err := digestSet(p.Digest)
		if err != nil {
			return nil, fmt.Errorf("part %s of the operating system: %w", p.Name, err)
		}
		list = append(list, Resource{Name: p.Name, Digest: set, MediaType: bundle.MediaTypePart,
			Annotations: map[string]string{"role": "os", "version": o.Version}})
	}
	return list, nil
}

// byproducts are the SBOMs, each with the image that it is of.
func byproducts(d *bundle.Descriptor) ([]Resource, error) {
	list := make([]Resource, 0, len(d.SBOMs))
	for _, s := range d.SBOMs {
		set, err := digestSet(s.Digest)
		if err != nil {
			return nil, fmt.Errorf("SBOM of %s: %w", s.Image, err)
		}
		list = append(list, Resource{
			Name:        s.Format,
			Digest:      set,
			MediaType:   sbomMediaType(s.Format),
			Annotations: map[string]string{"image": s.Image.String()},
		})
	}
	return list, nil
}

func sbomMediaType(format string) string {
	switch format {
	case "spdx":
		return bundle.MediaTypeSPDX
	case "cyclonedx":
		return bundle.MediaTypeCycloneDX
	}
	return ""
}
