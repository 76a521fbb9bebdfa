package image

import (
	"errors"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// verifier gives the bytes of a blob and an error in place of io.EOF if they are not what the descriptor names. It
// never gives more bytes than that.
type verifier struct {
	rc     io.ReadCloser
	desc   ocispec.Descriptor
	left   int64
	digest digest.Verifier
	err    error // what every further Read returns
}

func newVerifier(rc io.ReadCloser, desc ocispec.Descriptor) *verifier {
	return &verifier{rc: rc, desc: desc, left: desc.Size, digest: desc.Digest.Verifier()}
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.left == 0 {
		v.err = v.end()
		return 0, v.err
	}
	if int64(len(p)) > v.left {
		p = p[:v.left]
	}
	n, err := v.rc.Read(p)
	v.left -= int64(n)
	_, _ = v.digest.Write(p[:n]) // a hash never fails
	switch {
	case errors.Is(err, io.EOF) && v.left > 0:
		v.err = errorf("blob %s ends %d bytes early", v.desc.Digest, v.left)
	case err != nil && !errors.Is(err, io.EOF):
		v.err = err
	}
	return n, v.err
}

// end checks the digest and that nothing follows.
func (v *verifier) end() error {
	if !v.digest.Verified() {
		return errorf("blob %s does not have this digest", v.desc.Digest)
	}
	var one [1]byte
	switch n, err := io.ReadFull(v.rc, one[:]); {
	case n > 0:
		return errorf("blob %s is longer than its %d bytes", v.desc.Digest, v.desc.Size)
	case !errors.Is(err, io.EOF):
		return err
	}
	return io.EOF
}

// Close implements io.Closer. It does not check what was not read.
func (v *verifier) Close() error { return v.rc.Close() }
