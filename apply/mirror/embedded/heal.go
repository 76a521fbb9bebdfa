package embedded

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/opencontainers/go-digest"
)

// distribution keeps the bytes that it has for a digest, whatever is pushed. So bytes that are found damaged are
// removed just before a push brings good ones, or when a repository forgets the blob.

// dropUnlessSize removes a blob's bytes if there are more or fewer than size: a push of the blob is about to end.
func (r *Registry) dropUnlessSize(dgst digest.Digest, size int64) error {
	fi, err := os.Stat(r.driver.blobFile(dgst))
	if errors.Is(err, os.ErrNotExist) || err == nil && fi.Size() == size {
		return nil
	}
	if err != nil {
		return err
	}
	return r.drop(dgst, nil)
}

// dropUnlessEqual removes a manifest's bytes if they are others than raw.
func (r *Registry) dropUnlessEqual(dgst digest.Digest, raw []byte) error {
	f, err := os.Open(r.driver.blobFile(dgst))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	have, err := readManifest(f)
	if closed := f.Close(); closed != nil {
		return closed
	}
	if err == nil && bytes.Equal(have, raw) {
		return nil
	}
	return r.drop(dgst, err)
}

// dropUnlessGood reads a blob and removes its bytes if they do not have its digest. Deleting a blob of which damage is
// known, and pushing it again, thereby repairs it.
func (r *Registry) dropUnlessGood(dgst digest.Digest) error {
	f, err := os.Open(r.driver.blobFile(dgst))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v := dgst.Verifier()
	_, err = io.Copy(v, f)
	if closed := f.Close(); closed != nil {
		return closed
	}
	if err == nil && v.Verified() {
		return nil
	}
	return r.drop(dgst, err)
}

// drop removes damaged bytes. A read error is damage too: a disk whose sectors went bad gets new ones.
func (r *Registry) drop(dgst digest.Digest, why error) error {
	r.log.Warn("mirror: removing a damaged blob", "digest", dgst, "error", why)
	return os.Remove(r.driver.blobFile(dgst))
}

func digestByte(dgst digest.Digest) int {
	n, err := strconv.ParseUint(dgst.Encoded()[:2], 16, 8)
	if err != nil {
		return 0
	}
	return int(n)
}
