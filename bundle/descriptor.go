package bundle

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// APIVersion is the version of every document that sallyport writes or reads.
const APIVersion = "sallyport.dev/v1"

// Media types of what a bundle holds, beside those of OCI, SPDX and CycloneDX. docs/format.md is normative.
const (
	// ArtifactType marks the release manifest.
	ArtifactType = "application/vnd.sallyport.release.v1+json"
	// MediaTypeDescriptor is the release manifest's config: a Descriptor.
	MediaTypeDescriptor = "application/vnd.sallyport.release.descriptor.v1+json"
	// MediaTypeObjects is the rendered Kubernetes manifests: a multi-document YAML stream.
	MediaTypeObjects = "application/vnd.sallyport.manifests.v1+yaml"
	// MediaTypePatch is a blob that travels as delta or recompressed, in the format of docs/delta-format.md.
	MediaTypePatch = "application/vnd.sallyport.patch.v1"
	// MediaTypeSPDX and MediaTypeCycloneDX are SBOMs compressed with zstd.
	MediaTypeSPDX      = "application/spdx+json+zstd"
	MediaTypeCycloneDX = "application/vnd.cyclonedx+json+zstd"
	// MediaTypeSigstoreBundle is a Sigstore bundle v0.3, as cosign attaches it.
	MediaTypeSigstoreBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// Descriptor is a release: everything that a site needs to decide on it and to run it, apart from the bytes
// themselves. It is the config of the release manifest. Its one byte form is that of Marshal.
type Descriptor struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"` // always "Release"
	Name       string `json:"name"`
	Version    string `json:"version"`
	// Sequence is the rollback index: a site never goes to a release with a smaller one than it committed.
	Sequence uint64 `json:"sequence"`
	// ID is the release's identity as Seal writes it; bundles of older programs lack it. Identity gives it in any case.
	ID        digest.Digest `json:"identity,omitempty"`
	Created   time.Time     `json:"created"`
	Expires   *time.Time    `json:"expires,omitempty"`
	Platforms []string      `json:"platforms"`
	// Plain tells that every blob travels in its original form.
	Plain     bool      `json:"plain,omitempty"`
	Bases     []Base    `json:"bases,omitempty"`
	Images    []Image   `json:"images"`
	Blobs     []Blob    `json:"blobs"`
	Manifests Manifests `json:"manifests"`
	// OS is nil of a release that leaves the operating system as it is.
	OS       *OS       `json:"os,omitempty"`
	Charts   []Chart   `json:"charts,omitempty"`
	SBOMs    []SBOM    `json:"sboms,omitempty"`
	Checks   []Check   `json:"checks,omitempty"`
	Requires *Requires `json:"requires,omitempty"`
	CatchUp  string    `json:"catchUp,omitempty"`
	// OneWay are the objects of which a change that no rollback can undo is accepted, in the order of CompareObjectRefs.
	OneWay []ObjectRef `json:"oneWay,omitempty"`
	// NoRoll leaves workloads running whose ConfigMaps or Secrets alone changed.
	NoRoll bool `json:"noRoll,omitempty"`
	// Overlays change the objects for some sites, in the order of CompareOverlays.
	Overlays []Overlay `json:"overlays,omitempty"`
	// Labels are the labels that the release knows, each with its values; one without values may have any.
	Labels map[string][]string `json:"labels,omitempty"`
}

// Base is a release that the site must hold for this bundle to be restored.
type Base struct {
	Digest digest.Digest `json:"digest"` // of its release manifest
	// Identity is that of the release; any bundle of it will do. Empty in bundles of older programs.
	Identity digest.Digest `json:"identity,omitempty"`
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	Sequence uint64        `json:"sequence"`
}

// Image is one image that the release runs, under the name by which the manifests know it.
type Image struct {
	// Name is the full reference, as Reference.String writes it: registry.example.com/pick-engine:2.4.0, or
	// registry.example.com/pick-engine@sha256:… .
	Name string `json:"name"`
	// Digest, MediaType and Size describe what Name resolves to: an image manifest or an index.
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
	// Pinned is the digest by which the objects name the image beside its tag; empty if they name the tag alone. It is
	// what Served tells.
	Pinned digest.Digest `json:"pinned,omitempty"`
	// Manifests are the image manifests that are shipped: Digest itself, or those of an index that fit the platforms.
	Manifests []ImageManifest `json:"manifests"`
	// Indexes are those inside the index Digest that lead to Manifests, each after those inside it.
	Indexes []InnerIndex `json:"indexes,omitempty"`
	// Attached are cosign signatures, attestations and other OCI artifacts that belong to the image.
	Attached []Attached `json:"attached,omitempty"`
}

// InnerIndex is an index that another index lists.
type InnerIndex struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
}

// ImageManifest is an image for one platform. Layers and config stand in Descriptor.Blobs.
type ImageManifest struct {
	Digest    digest.Digest   `json:"digest"`
	MediaType string          `json:"mediaType"`
	Size      int64           `json:"size"`
	Platform  string          `json:"platform"` // as FormatPlatform writes it
	Config    digest.Digest   `json:"config"`
	Layers    []digest.Digest `json:"layers"`
}

// Attached is an artifact that belongs to an image: by tag (sha256-<hex>.sig), as an OCI referrer, or by its index.
type Attached struct {
	// Tag is the tag of cosign's tag scheme. It is empty for an OCI referrer, whose own manifest names the subject, and
	// for an attestation of BuildKit's, whose manifest does not: the image's index lists that one.
	Tag       string          `json:"tag,omitempty"`
	Subject   digest.Digest   `json:"subject"`
	Digest    digest.Digest   `json:"digest"`
	MediaType string          `json:"mediaType"`
	Size      int64           `json:"size"`
	Blobs     []digest.Digest `json:"blobs"` // its config and layers
	// ArtifactType and Annotations are what a referrers listing says of it.
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Form is how a blob travels.
type Form string

const (
	// FormFull is the original bytes.
	FormFull Form = "full"
	// FormRecompressed is the plain bytes, compressed better, and how to get the original back.
	FormRecompressed Form = "recompressed"
	// FormDelta is a patch against blobs of the base.
	FormDelta Form = "delta"
	// FormReuse is nothing: the base has the blob.
	FormReuse Form = "reuse"
)

// Blob is a layer, a config or an attached artifact's content, as the mirror must hold it in the end.
type Blob struct {
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
	MediaType string        `json:"mediaType"`
	Form      Form          `json:"form"`
	// Payload is what the bundle carries for it: nil for reuse, Digest and Size again for full.
	Payload *Payload `json:"payload,omitempty"`
	// Bases are the old blobs that the patch addresses, in its order.
	Bases []BaseBlob `json:"bases,omitempty"`
	// Note says why a blob that could have travelled smaller did not ("no recipe for its gzip").
	Note string `json:"note,omitempty"`
	// Files are those that cost the most of the payload's bytes, the dearest first; the rest is not told.
	Files []FileCost `json:"files,omitempty"`
}

// Payload is a blob of the bundle.
type Payload struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	// Scratch is the bytes of temporary files that applying a patch takes, beside the expanded bases.
	Scratch int64 `json:"scratch,omitempty"`
}

// FileCost is a file in a layer and what its change costs.
type FileCost struct {
	Name  string `json:"name"` // as in the layer, made fit for UTF-8
	Bytes int64  `json:"bytes"`
	Why   string `json:"why"` // "1,204 changed functions", for people
}

// BaseBlob is an old blob that a patch needs.
type BaseBlob struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	// PlainSize is its size when expanded: what the site must have room for while it restores.
	PlainSize int64 `json:"plainSize"`
}

// Manifests tells of the rendered Kubernetes objects.
type Manifests struct {
	Digest  digest.Digest `json:"digest"`
	Size    int64         `json:"size"`
	Objects int           `json:"objects"`
}

// Chart is a Helm chart that gave some of the objects.
type Chart struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Release and Namespace are what the chart was rendered with: those that helm install would have been given.
	Release   string `json:"release"`
	Namespace string `json:"namespace"`
	// Hooks are those of its objects that Helm takes for hooks.
	Hooks []ObjectRef `json:"hooks,omitempty"`
}

// SBOM is a software bill of materials of one image, or of a part of the operating system. Reuse: the base carries the very same document.
type SBOM struct {
	Image    digest.Digest `json:"image"`  // the image manifest, not the index; or the part
	Format   string        `json:"format"` // "spdx" or "cyclonedx"
	Digest   digest.Digest `json:"digest"` // of the compressed document
	Size     int64         `json:"size"`
	Form     Form          `json:"form"` // full or reuse
	Packages int           `json:"packages"`
}

// Requires is what must hold on the site before a release is applied.
type Requires struct {
	Releases string            `json:"releases,omitempty" yaml:"releases"` // version range of what runs now
	Labels   map[string]string `json:"labels,omitempty" yaml:"labels"`
	// Kubernetes is ranges of versions, all of which the cluster's version must be in.
	Kubernetes []string `json:"kubernetes,omitempty" yaml:"kubernetes"`
}
