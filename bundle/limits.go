package bundle

// Limits of the format, in bytes unless said otherwise. A reader refuses what exceeds them before it reads it, so they
// bound the memory that a hostile bundle can ask for.
const (
	// MaxBlobSize bounds a blob of an image. It is the largest size that a USTAR header can tell: 8 GiB less one byte.
	MaxBlobSize = 1<<33 - 1
	// MaxPartSize bounds a part of an operating system.
	MaxPartSize = 32 << 30
	// MaxManifestSize bounds index.json, the release manifest, image manifests and indexes, and what counts as a small blob
	// of an image: its config or an attached artifact's content. Registries have the same limit.
	MaxManifestSize = 4 << 20
	// MaxDescriptorSize bounds the release descriptor. A reader holds it twice, as bytes and decoded, before it can know
	// who signed it.
	MaxDescriptorSize = 6 << 20
	// MaxSignaturesSize bounds all signatures and attestations on a release together.
	MaxSignaturesSize = 4 << 20
	// maxReferrerSize bounds a signature's manifest, which is the same for all but for a digest and a predicate type.
	maxReferrerSize = 16 << 10
	// MaxListing bounds what a list of the images' blobs takes, in bytes: a blob is told of wherever an image names it, with
	// its note and its bases.
	MaxListing = 8 << 20
	// MaxObjects is how many Kubernetes objects a release may have.
	MaxObjects = 32768
	// MaxObjectsSize bounds the rendered Kubernetes objects.
	MaxObjectsSize = 32 << 20
	// MaxOneWay is how many objects a release may name whose changes cannot be undone.
	MaxOneWay = 1024
	// MaxOverlays is how many overlays a release may have, MaxMatch by how many labels one may match. MaxOverlaySize bounds
	// the edits of one of them; all of them together may have MaxObjectsSize.
	MaxOverlays    = 4096
	MaxMatch       = 16
	MaxOverlaySize = 4 << 20
	// MaxCharts is how many Helm charts a release may have, maxRanges how many version ranges it may require.
	MaxCharts = 256
	maxRanges = MaxCharts + 16
	// MaxSignatures is how many signatures, provenance included, a bundle may carry.
	MaxSignatures = 16
	// MaxInnerIndexes is how many indexes there may be inside the index of one image.
	MaxInnerIndexes = 64
	// MaxLayers is how many blobs a release manifest may name.
	MaxLayers = 65536
	// MaxParts is how many parts a bundle may be split into: as many as three digits can number.
	MaxParts = 999
	// MaxSequence is the largest sequence: every reader of JSON can tell it from its neighbours.
	MaxSequence = 1<<53 - 1
	// MaxFileCosts is how many files of one patch a release tells of.
	MaxFileCosts = 64
	// maxPlainSize bounds the expanded size that a base blob may claim: far above any real layer, far below overflow.
	maxPlainSize = 1 << 42
)
