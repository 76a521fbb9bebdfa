package bundle

import (
	"errors"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Entry is a blob as it comes out of a bundle. It is an io.Reader that ends with io.EOF only if the blob has the digest and
// the size that it should; the last bytes are held back until that is known. It is good until the Reader's Next is called.
type Entry struct {
	// Desc tells what the blob is.
	Desc ocispec.Descriptor
	// Metadata tells it from payload.
	Metadata bool

	reader *Reader
	left   int64
	sum    digest.Digester
	done   bool
}

// Read gives the blob's bytes. After a fault neither the entry nor its reader gives anything more.
func (e *Entry) Read(p []byte) (int, error) {
	if e.reader.entry != e || e.reader.err != nil {
		return 0, e.stale()
	}
	if e.done {
		return 0, io.EOF
	}
	n, err := e.read(p)
	if err != nil {
		e.reader.err = err
		return 0, err
	}
	if e.left == 0 {
		if err := e.finish(); err != nil {
			e.reader.err = err
			return 0, err
		}
	}
	return n, nil
}

// stale is the error of an entry that is read too late.
func (e *Entry) stale() error {
	if err := e.reader.err; err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return formatf("blob %s is read after its turn", shortDigest(e.Desc.Digest))
}

func (e *Entry) read(p []byte) (int, error) {
	if e.left == 0 || len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.reader.src.read(p, label(blobName(e.Desc.Digest)))
	e.left -= int64(n)
	e.sum.Hash().Write(p[:n])
	return n, err
}

// finish checks the digest and the padding.
func (e *Entry) finish() error {
	e.done = true
	name := blobName(e.Desc.Digest)
	if got := e.sum.Digest(); got != e.Desc.Digest {
		return wrongDigest(name, got)
	}
	return e.reader.src.zeros(padding(e.Desc.Size), label(name))
}

func wrongDigest(name string, got digest.Digest) error {
	return errorf(reasonDigest, "%s is damaged: its bytes have the digest %s", label(name), shortDigest(got))
}
