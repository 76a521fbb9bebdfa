package build

import (
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// lockSuffix is what the lock file's name has after the bundle's.
const lockSuffix = ".lock.json"

// finish seals, signs and writes the bundle and its lock file.
func (b *builder) finish(ctx context.Context) (*Result, error) {
	d, err := b.describe()
	if err != nil {
		return nil, err
	}
	sealed, err := b.seal(ctx, d)
	if err != nil {
		return nil, err
	}
	signatures, err := b.sign(ctx, sealed, d)
	if err != nil {
		return nil, err
	}
	lock, err := b.lock(d, sealed.Digest()).Marshal()
	if err != nil {
		return nil, err
	}
	res := b.summary(d)
	res.Digest, res.Lock = sealed.Digest(), b.Output+lockSuffix
	if res.Parts, res.Size, err = b.write(ctx, sealed, signatures, lock); err != nil {
		return nil, err
	}
	res.File = res.Parts[0]
	if b.Split == 0 {
		res.Parts = nil
	}
	res.Seconds, res.PeakRSS = time.Since(b.started).Seconds(), peakRSS()
	return res, nil
}

// lock is the release's lock, with what its files cost.
func (b *builder) lock(d *bundle.Descriptor, release digest.Digest) *Lock {
	l := NewLock(d, release)
	for i, x := range b.blobs {
		l.Blobs[i].Files = x.files // describe lists the same blobs
	}
	for i, x := range b.release.parts {
		l.OS.Parts[i].Image = x.Image // describeOS lists the same parts
	}
	return l
}

// write writes the files. Nothing stands under the final names before all of it is on the disk.
func (b *builder) write(ctx context.Context, s *bundle.Sealed, signatures []bundle.Signature, lock []byte) (paths []string, size int64, err error) {
	out, err := bundle.NewPartWriter(b.Output, b.Split)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	p := b.measure("writing")
	for _, part := range b.parts {
		p.total += part.Desc.Size
	}
	if size, err = s.Write(ctx, &progressWriter{out, p.add}, signatures); err != nil {
		return nil, 0, err
	}
	beside, err := bundle.NewPartWriter(b.Output+lockSuffix, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, beside.Close()) }()
	if _, err = beside.Write(lock); err != nil {
		return nil, 0, err
	}
	if err = ctx.Err(); err != nil {
		return nil, 0, err
	}
	if err = out.Commit(); err != nil {
		return nil, 0, err
	}
	return out.Paths(), size, beside.Commit()
}
