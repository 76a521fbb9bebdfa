package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
)

// tarWriter writes entries in the one form that they have.
type tarWriter struct {
	w   io.Writer
	n   int64
	buf []byte
}

var zeroes [trailer]byte

func (t *tarWriter) write(b []byte) error {
	n, err := t.w.Write(b)
	t.n += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// bytes writes an entry that is in memory.
func (t *tarWriter) bytes(name string, b []byte) error {
	size := int64(len(b))
	for _, p := range [][]byte{makeHeader(name, size)[:], b, zeroes[:padding(size)]} {
		if err := t.write(p); err != nil {
			return err
		}
	}
	return nil
}

// front writes everything before the release manifest's layers.
func (t *tarWriter) front(d *Descriptor, config, manifest []byte, sigs []Signature) error {
	if err := checkSignatures(d, manifest, sigs); err != nil {
		return err
	}
	x, err := index(d, manifest, sigs)
	if err != nil {
		return err
	}
	if err := t.bytes(nameLayout, []byte(ociLayout)); err != nil {
		return err
	}
	if err := t.bytes(nameIndex, x); err != nil {
		return err
	}
	for _, b := range frontBlobs(d, config, manifest, sigs) {
		if err := t.bytes(blobName(digest.FromBytes(b)), b); err != nil {
			return err
		}
	}
	return nil
}

// frontBlobs are the blobs that come before the release manifest's layers. The signatures' config, which is always the
// same, comes with the first of them, unless it is one of the layers.
func frontBlobs(d *Descriptor, config, manifest []byte, sigs []Signature) [][]byte {
	blobs := [][]byte{manifest, config}
	for i, s := range sigs {
		blobs = append(blobs, s.Manifest)
		if i == 0 && !d.namesEmptyConfig() {
			blobs = append(blobs, []byte(emptyConfig))
		}
		blobs = append(blobs, s.Bundle)
	}
	return blobs
}

// checkSignatures refuses signatures that belong to another release, and any blob that the bundle would carry twice.
func checkSignatures(d *Descriptor, manifest []byte, sigs []Signature) error {
	if len(sigs) > MaxSignatures {
		return formatf("%d signatures and attestations, more than %d", len(sigs), MaxSignatures)
	}
	release := describe(mediaTypeManifest, manifest).oci()
	seen := map[digest.Digest]bool{release.Digest: true}
	size := 0
	for _, s := range sigs {
		if size += len(s.Bundle); size > MaxSignaturesSize {
			return formatf("the signatures and attestations have more than %d bytes together", MaxSignaturesSize)
		}
		again, err := NewSignature(release, s.Bundle, s.PredicateType)
		if err != nil {
			return err
		}
		if string(again.Manifest) != string(s.Manifest) {
			return formatf("a signature belongs to another release than %s", release.Digest)
		}
		for _, b := range [][]byte{s.Manifest, s.Bundle} {
			if seen[digest.FromBytes(b)] {
				return formatf("the bundle already has the signature %s", s.Digest())
			}
			seen[digest.FromBytes(b)] = true
		}
	}
	metadata, payload := d.Layers()
	for _, l := range append(metadata, payload...) {
		if seen[l.Digest] {
			return formatf("blob %s would stand in the bundle twice", l.Digest)
		}
	}
	return nil
}

// part copies a blob, comparing it with its digest.
func (t *tarWriter) part(ctx context.Context, p Part) error {
	r, err := p.Open()
	if err != nil {
		return err
	}
	if err := errors.Join(t.copy(ctx, p, r), r.Close()); err != nil {
		return err
	}
	return t.write(zeroes[:padding(p.Desc.Size)])
}

func (t *tarWriter) copy(ctx context.Context, p Part, r io.Reader) error {
	if err := t.write(makeHead(blobName(p.Desc.Digest), p.Desc.Size)); err != nil {
		return err
	}
	if t.buf == nil {
		t.buf = make([]byte, 256<<10)
	}
	sum := digest.SHA256.Digester()
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := r.Read(t.buf)
		if n += int64(k); n > p.Desc.Size {
			return fmt.Errorf("it has more than the %d bytes that it should have", p.Desc.Size)
		}
		sum.Hash().Write(t.buf[:k])
		if werr := t.write(t.buf[:k]); werr != nil {
			return werr
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if n != p.Desc.Size || sum.Digest() != p.Desc.Digest {
		return fmt.Errorf("its %d bytes have the digest %s, where %d bytes were described", n, sum.Digest(), p.Desc.Size)
	}
	return nil
}

func (t *tarWriter) end() error { return t.write(zeroes[:]) }
