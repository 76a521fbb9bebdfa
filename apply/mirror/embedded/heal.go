package embedded

import (
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/opencontainers/go-digest"
)

// heal removes a blob's bytes if they do not have its digest, so that the push which is about to complete brings good
// ones; distribution would keep what it has. The cost, reading the blob, falls only on pushes of what is there.
func (r *Registry) heal(dgst digest.Digest) error {
	file := r.driver.blobFile(dgst)
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v := dgst.Verifier()
	_, err = io.Copy(v, f)
	if close := f.Close(); close != nil {
		return close
	}
	if err == nil && v.Verified() {
		return nil
	}
	// A read error is damage too: a disk whose sectors went bad gets new ones.
	r.log.Warn("mirror: replacing a damaged blob", "digest", dgst, "error", err)
	return os.Remove(file)
}

func digestByte(dgst digest.Digest) int {
	n, err := strconv.ParseUint(dgst.Encoded()[:2], 16, 8)
	if err != nil {
		return 0
	}
	return int(n)
}
