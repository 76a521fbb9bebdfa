package mirror

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// StatBlob asks for a blob's size in bytes, without reading it. ok is false if the repository lacks it.
func (c *Client) StatBlob(ctx context.Context, repo string, dgst digest.Digest) (size int64, ok bool, err error) {
	size, err = c.headBlob(ctx, repo, dgst)
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, c.fail(ctx, err, "look for blob %s in %s", dgst, repo)
	}
	return size, true, nil
}

// HasBlob tells whether the repository has the blob. It does not read the blob; Fsck does.
func (c *Client) HasBlob(ctx context.Context, repo string, dgst digest.Digest) (bool, error) {
	_, ok, err := c.StatBlob(ctx, repo, dgst)
	return ok, err
}

func (c *Client) headBlob(ctx context.Context, repo string, dgst digest.Digest) (int64, error) {
	if err := checkDigest(dgst); err != nil {
		return 0, err
	}
	resp, err := c.send(ctx, call{
		method: http.MethodHead, repo: repo, url: c.repoURL(repo, "blobs/"+dgst.String()), want: []int{http.StatusOK},
	})
	if err != nil {
		return 0, err
	}
	defer resp.done()
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != dgst.String() {
		return 0, fmt.Errorf("%w: asked for %s it speaks of %s", errGarbage, dgst, shorten(got))
	}
	if resp.ContentLength < 0 {
		return c.measureBlob(ctx, repo, dgst)
	}
	return resp.ContentLength, nil
}

// measureBlob finds out a blob's size where the registry, or a proxy before it, answers HEAD without one: GET may tell,
// or else the bytes have to be read.
func (c *Client) measureBlob(ctx context.Context, repo string, dgst digest.Digest) (int64, error) {
	b := &blobReader{ctx: ctx, c: c, repo: repo, dgst: dgst, hash: sha256.New(), last: time.Now()}
	if err := b.open(); err != nil {
		return 0, err
	}
	defer b.Close()
	if b.size >= 0 {
		return b.size, nil
	}
	return io.Copy(io.Discard, b)
}

// OpenBlob reads a blob. Reading goes on after the connection broke, by a request for the rest. A Read that would
// end the blob returns an error that is ErrDamaged instead of io.EOF if the bytes do not have the digest.
func (c *Client) OpenBlob(ctx context.Context, repo string, dgst digest.Digest) (io.ReadCloser, error) {
	if err := checkDigest(dgst); err != nil {
		return nil, c.fail(ctx, err, "read blob from %s", repo)
	}
	b := &blobReader{ctx: ctx, c: c, repo: repo, dgst: dgst, hash: sha256.New(), last: time.Now()}
	if err := b.open(); err != nil {
		return nil, c.fail(ctx, err, "read blob %s from %s", dgst, repo)
	}
	return b, nil
}

type blobReader struct {
	ctx  context.Context // of the OpenBlob call, for the requests that Read makes
	c    *Client
	repo string
	dgst digest.Digest
	hash hash.Hash
	body io.ReadCloser
	size int64 // -1: the registry does not say
	off  int64
	try  int       // since the last byte
	last time.Time // when that came
	err  error
}

// open asks for the blob from off on.
func (b *blobReader) open() error {
	r := call{
		method: http.MethodGet, repo: b.repo, url: b.c.repoURL(b.repo, "blobs/"+b.dgst.String()),
		want: []int{http.StatusOK, http.StatusPartialContent},
	}
	if b.off > 0 && b.size >= 0 {
		r.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.off)}}
	}
	resp, err := b.c.send(b.ctx, r)
	if err != nil {
		return err
	}
	if err := b.accept(resp); err != nil {
		_ = resp.Body.Close()
		return err
	}
	b.body = resp.Body
	return nil
}

// accept checks that an answer continues the blob at off.
func (b *blobReader) accept(resp *reply) error {
	if resp.StatusCode == http.StatusPartialContent {
		want := fmt.Sprintf("bytes %d-%d/%d", b.off, b.size-1, b.size)
		if got := resp.Header.Get("Content-Range"); b.off == 0 || b.size < 0 || got != want {
			return fmt.Errorf("%w: range %s where %s is due", errGarbage, shorten(got), want)
		}
		return nil
	}
	if b.off > 0 { // the registry knows no ranges: read again what we have
		if _, err := io.CopyN(io.Discard, resp.Body, b.off); err != nil {
			return err
		}
	}
	b.size = resp.ContentLength
	return nil
}

func (b *blobReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.c.fail(b.ctx, err, "read blob %s from %s", b.dgst, b.repo)
	}
	b.err = err
	return n, err
}

func (b *blobReader) read(p []byte) (int, error) {
	for {
		n, err := b.body.Read(p)
		if n > 0 {
			b.off += int64(n)
			b.hash.Write(p[:n])
			b.try, b.last = 0, time.Now()
			return n, nil // an error comes again with the next Read
		}
		switch {
		case err == nil:
			continue
		case b.off >= b.size && err == io.EOF:
			return 0, b.verify()
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		b.try++
		if err := b.c.pause(b.ctx, b.try, b.last, err, "read blob "+b.dgst.String()); err != nil {
			return 0, err
		}
		_ = b.body.Close()
		if err := b.open(); err != nil {
			return 0, err
		}
	}
}

func (b *blobReader) verify() error {
	if got := digest.NewDigest(digest.SHA256, b.hash); got != b.dgst {
		return fmt.Errorf("%w: its bytes have digest %s", ErrDamaged, got)
	}
	return io.EOF
}

func (b *blobReader) Close() error { return b.body.Close() }

// Mount makes a blob of one repository available in another without moving bytes. It returns false if the registry
// cannot or will not; then push the blob.
func (c *Client) Mount(ctx context.Context, from, to string, dgst digest.Digest) (bool, error) {
	ok, err := c.mount(ctx, from, to, dgst)
	return ok, c.fail(ctx, err, "mount blob %s from %s to %s", dgst, from, to)
}

func (c *Client) mount(ctx context.Context, from, to string, dgst digest.Digest) (bool, error) {
	if err := checkDigest(dgst); err != nil {
		return false, err
	}
	resp, err := c.send(ctx, call{
		method: http.MethodPost, repo: to,
		url:  c.repoURL(to, "blobs/uploads/?mount="+dgst.String()+"&from="+c.prefix+from),
		want: []int{http.StatusCreated, http.StatusAccepted},
	})
	if err != nil {
		return false, err
	}
	defer resp.done()
	if resp.StatusCode == http.StatusCreated {
		return true, nil
	}
	// The registry has begun an ordinary upload instead.
	if u, err := c.location(resp); err == nil {
		c.cancelUpload(ctx, to, u)
	}
	return false, nil
}

// checkDigest accepts SHA-256 only: the one algorithm that bundles and registries share, and a safe path element.
func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("digest %q: %w", shorten(string(d)), err)
	}
	if d.Algorithm() != digest.SHA256 {
		return fmt.Errorf("digest %s is not SHA-256", d)
	}
	return nil
}

// parseRange reads how much of an upload has arrived: "0-41" is 42 bytes. "0-0" is none as well as one.
func parseRange(s string) (int64, bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(s, "bytes="), "-")
	if !ok || first != "0" {
		return 0, false
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || n == math.MaxInt64 || strings.HasPrefix(last, "+") {
		return 0, false
	}
	if n == 0 {
		return 0, true
	}
	return n + 1, true
}
