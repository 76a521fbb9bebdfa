package bundle

import (
	"encoding/json"
	"strings"

	"github.com/opencontainers/go-digest"
)

// front reads the part of a bundle that comes before the release manifest's layers. The OCI documents are decoded only as
// far as is needed to go on; once the descriptor and the signatures are known, each is made again and compared.
type front struct {
	src        *source
	index      []byte
	release    blobRef
	manifest   []byte
	config     []byte
	descriptor *Descriptor
	signatures []Signature
	room       int64 // bytes of signatures that may still come
}

func (f *front) read() error {
	if err := f.readLayout(); err != nil {
		return err
	}
	referrers, err := f.readIndex()
	if err != nil {
		return err
	}
	if err := f.readRelease(); err != nil {
		return err
	}
	for i, w := range referrers {
		if err := f.readSignature(w, i == 0); err != nil {
			return err
		}
	}
	if err := checkSignatures(f.descriptor, f.manifest, f.signatures); err != nil {
		return err
	}
	return f.compare(f.index, makeIndex(f.descriptor, f.manifest, f.signatures), "index.json is not the one that the release and its signatures give")
}

// compare tells whether a document is the one that follows from the rest.
func (f *front) compare(have []byte, want any, not string) error {
	same, at, err := sameJSON(have, want)
	if err != nil {
		return formatf("%s: %w", not, err)
	}
	if !same {
		return formatf("%s (first difference at byte %d)", not, at)
	}
	return nil
}

// readLayout reads oci-layout, by which a bundle is known.
func (f *front) readLayout() error {
	var block header
	if err := f.src.full(block[:], "the header of "+nameLayout); err != nil {
		return err
	}
	if block != *makeHeader(nameLayout, int64(len(ociLayout))) {
		return notABundle(&block)
	}
	body := make([]byte, len(ociLayout))
	if err := f.body(body, nameLayout); err != nil {
		return err
	}
	if string(body) != ociLayout {
		return formatf("oci-layout is not %s", ociLayout)
	}
	return nil
}

// notABundle says what a file seems to be whose first block is not a bundle's.
func notABundle(block *header) error {
	err := formatf("this is not a bundle: it does not begin with the entry oci-layout as sallyport writes it")
	for magic, name := range map[string]string{"\x1f\x8b": "gzip", "\x28\xb5\x2f\xfd": "zstd", "\xfd7zXZ\x00": "xz", "BZh": "bzip2"} {
		if strings.HasPrefix(string(block[:]), magic) {
			err = formatf("this is not a bundle: it is compressed with %s", name)
			err.hint = "decompress it first: a bundle travels as it is, its blobs are compressed already"
		}
	}
	return err
}

// body fills b with the body of the entry whose header has just been read.
func (f *front) body(b []byte, name string) error {
	if err := f.src.full(b, label(name)); err != nil {
		return err
	}
	return f.src.zeros(padding(int64(len(b))), label(name))
}

// readIndex reads index.json and gives the signatures that it lists.
func (f *front) readIndex() ([]blobRef, error) {
	var block header
	if err := f.src.full(block[:], "the header of "+nameIndex); err != nil {
		return nil, err
	}
	size, err := block.size()
	if err != nil || size > MaxManifestSize || block != *makeHeader(nameIndex, size) {
		return nil, wrongHeader(&block, nameIndex, f.src.off-blockSize)
	}
	f.index = make([]byte, size)
	if err := f.body(f.index, nameIndex); err != nil {
		return nil, err
	}
	var x indexHead
	if err := decode(f.index, &x, nameIndex); err != nil {
		return nil, err
	}
	return f.entries(x)
}

// entries takes the release from an index, and the signatures, which follow it.
func (f *front) entries(x indexHead) ([]blobRef, error) {
	if len(x.Manifests) == 0 {
		return nil, formatf("this is not a bundle: its index.json lists nothing")
	}
	f.release = x.Manifests[0]
	if t := f.release.ArtifactType; t != ArtifactType {
		if strings.HasPrefix(t, "application/vnd.sallyport.release.v") {
			return nil, newer("the bundle", t, ArtifactType)
		}
		return nil, formatf("this is an OCI image layout and not a bundle: index.json does not begin with a release")
	}
	n := 1
	for n < len(x.Manifests) && x.Manifests[n].ArtifactType == MediaTypeSigstoreBundle {
		n++
	}
	if n-1 > MaxSignatures {
		return nil, formatf("%d signatures and attestations, more than %d", n-1, MaxSignatures)
	}
	return x.Manifests[1:n], nil
}

// readRelease reads the release manifest and the descriptor, and checks the one against the other.
func (f *front) readRelease() error {
	var err error
	if f.manifest, err = f.blob(f.release, MaxManifestSize); err != nil {
		return err
	}
	var m manifestHead
	if err := decode(f.manifest, &m, "the release manifest"); err != nil {
		return err
	}
	if f.config, err = f.blob(m.Config, MaxDescriptorSize); err != nil {
		return err
	}
	if f.descriptor, err = ParseDescriptor(f.config); err != nil {
		return err
	}
	return f.compare(f.manifest, makeManifest(f.descriptor, f.config), "the release manifest is not the one that the descriptor gives")
}

// readSignature reads a referrer, the empty config if it is the first, and the Sigstore bundle.
func (f *front) readSignature(w blobRef, first bool) error {
	manifest, err := f.blob(w, maxReferrerSize)
	if err != nil {
		return err
	}
	var m signatureHead
	if err := decode(manifest, &m, "a signature's manifest"); err != nil {
		return err
	}
	if len(m.Layers) != 1 {
		return formatf("the signature %s has %d blobs, not one", shortDigest(w.Digest), len(m.Layers))
	}
	if first && !f.descriptor.namesEmptyConfig() {
		if _, err := f.blob(blobRef{Digest: emptyConfigDigest, Size: int64(len(emptyConfig))}, MaxManifestSize); err != nil {
			return err
		}
	}
	b, err := f.blob(m.Layers[0], f.room)
	if err != nil {
		return err
	}
	f.room -= int64(len(b))
	s, err := NewSignature(f.release.oci(), b, m.Annotations.PredicateType)
	if err != nil {
		return err
	}
	if string(s.Manifest) != string(manifest) {
		return formatf("the signature %s is not attached to this release in the one form that it must have", shortDigest(w.Digest))
	}
	f.signatures = append(f.signatures, s)
	return nil
}

// blob reads an entry that is held in memory.
func (f *front) blob(w blobRef, limit int64) ([]byte, error) {
	if err := validDigest(w.Digest); err != nil {
		return nil, formatf("a blob is named wrongly: %w", err)
	}
	name := blobName(w.Digest)
	if w.Size < 0 || w.Size > limit {
		return nil, formatf("%s has a size of %d bytes, not 0 to %d", label(name), w.Size, limit)
	}
	var block header
	if err := f.src.full(block[:], "the header of "+label(name)); err != nil {
		return nil, err
	}
	if block != *makeHeader(name, w.Size) {
		return nil, wrongHeader(&block, name, f.src.off-blockSize)
	}
	b := make([]byte, w.Size)
	if err := f.body(b, name); err != nil {
		return nil, err
	}
	if got := digest.FromBytes(b); got != w.Digest {
		return nil, wrongDigest(name, got)
	}
	return b, nil
}

// decode reads a document of which the bytes will be compared later, so what it overlooks does no harm.
func decode(b []byte, into any, what string) error {
	if err := checkDensity(b); err != nil {
		return formatf("%s is refused: %w", what, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return formatf("%s does not parse: %w", what, err)
	}
	return nil
}
