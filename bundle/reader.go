package bundle

import (
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Reader reads a bundle once, front to back. Everything it gives has the digest that the bundle says, and nothing of it
// is to be trusted before package verify has judged the signatures.
type Reader struct {
	src        *source
	manifest   []byte
	config     []byte
	descriptor *Descriptor
	signatures []Signature
	layers     []ocispec.Descriptor
	metadata   int

	next  int // the layer that the next entry must be
	entry *Entry
	err   error // sticks: after a fault, or the end, there is nothing more to read
}

// NewReader reads the bundle through its last signature; Next gives the rest. Faults of the bundle are *Error; those of r
// are passed on as they are.
func NewReader(r io.Reader) (*Reader, error) {
	f := &front{src: newSource(r), room: MaxSignaturesSize}
	if err := f.read(); err != nil {
		return nil, err
	}
	metadata, payload := f.descriptor.Layers()
	b := &Reader{src: f.src, manifest: f.manifest, config: f.config, descriptor: f.descriptor, signatures: f.signatures,
		layers: append(metadata, payload...), metadata: len(metadata)}
	f.src.size = b.Size()
	return b, nil
}

// ReleaseDigest is the digest of the release manifest.
func (r *Reader) ReleaseDigest() digest.Digest { return digest.FromBytes(r.manifest) }

// Desc describes the release manifest.
func (r *Reader) Desc() ocispec.Descriptor { return describe(mediaTypeManifest, r.manifest).oci() }

// ManifestBytes is the release manifest. The caller must not change it.
func (r *Reader) ManifestBytes() []byte { return r.manifest }

// Descriptor is what the release says of itself, well-formed and not verified. The caller must not change it.
func (r *Reader) Descriptor() *Descriptor { return r.descriptor }

// DescriptorBytes is the descriptor in its one byte form. The caller must not change it.
func (r *Reader) DescriptorBytes() []byte { return r.config }

// Signatures are the signatures and attestations on the release, not verified. The caller must not change them.
func (r *Reader) Signatures() []Signature { return r.signatures }

// Layers are the blobs that Next will give, in their order. The caller must not change them.
func (r *Reader) Layers() []ocispec.Descriptor { return r.layers }

// MetadataCount is how many of Layers are metadata; payload follows.
func (r *Reader) MetadataCount() int { return r.metadata }

// Size is how many bytes the whole bundle has, if it is complete.
func (r *Reader) Size() int64 {
	n := entrySize(int64(len(ociLayout))) + trailer
	if x, err := index(r.descriptor, r.manifest, r.signatures); err == nil {
		n += entrySize(int64(len(x)))
	}
	for _, b := range frontBlobs(r.descriptor, r.config, r.manifest, r.signatures) {
		n += entrySize(int64(len(b)))
	}
	for _, l := range r.layers {
		n += entrySize(l.Size)
	}
	return n
}

// Next gives the next blob, after it has read and checked what remains of the one before. It gives io.EOF only at the end
// of a bundle that is whole: every blob came, in order, and nothing after them.
func (r *Reader) Next() (*Entry, error) {
	if r.err == nil {
		r.err = r.advance()
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.entry, nil
}

func (r *Reader) advance() error {
	if r.entry != nil {
		if _, err := io.Copy(io.Discard, r.entry); err != nil {
			return err
		}
		r.entry = nil
	}
	if r.next == len(r.layers) {
		return r.finish()
	}
	l := r.layers[r.next]
	if err := r.expect(l); err != nil {
		return err
	}
	r.entry = &Entry{Desc: l, Metadata: r.next < r.metadata, reader: r, left: l.Size, sum: digest.SHA256.Digester()}
	r.next++
	return nil
}

// finish reads the end of the tar.
func (r *Reader) finish() error {
	var block header
	for range trailer / blockSize {
		if err := r.src.full(block[:], endMarker); err != nil {
			return err
		}
		if !block.zero() {
			return r.unexpected(&block, endMarker)
		}
	}
	if err := r.src.atEnd(); err != nil {
		return err
	}
	return io.EOF
}

// expect reads what stands before the blob that must come now, block by block.
func (r *Reader) expect(l ocispec.Descriptor) error {
	name := blobName(l.Digest)
	for head := makeHead(name, l.Size); len(head) > 0; head = head[blockSize:] {
		var block header
		if err := r.src.full(block[:], "the header of "+label(name)); err != nil {
			return err
		}
		if block != header(head[:blockSize]) {
			return r.unexpected(&block, name)
		}
	}
	return nil
}

// unexpected says what stands where something else should.
func (r *Reader) unexpected(block *header, want string) error {
	err := wrongHeader(block, want, r.src.off-blockSize)
	name, ok := block.describe()
	if !ok || name == want {
		return err
	}
	for i, l := range r.layers {
		switch {
		case blobName(l.Digest) != name:
		case i < r.next:
			return formatf("%s stands in the bundle twice", label(name))
		default:
			return formatf("the blobs are not in order: %s stands where %s should", label(name), label(want))
		}
	}
	return formatf("the release manifest does not name %s, which stands where %s should", label(name), label(want))
}

// wrongHeader says what is wrong with a header block, as far as the block itself tells.
func wrongHeader(block *header, want string, off int64) error {
	name, ok := block.describe()
	switch {
	case block.zero():
		return formatf("the bundle ends before %s, at byte %d", label(want), off)
	case !ok && want == endMarker:
		return formatf("the end marker at byte %d is damaged", off)
	case !ok:
		return formatf("the header of %s at byte %d is damaged", label(want), off)
	case name == want:
		return formatf("the header of %s at byte %d is not in its one form, or tells another size", label(want), off)
	default:
		return formatf("%s stands where %s should, at byte %d", label(name), label(want), off)
	}
}
