package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// maxParsing is how many manifests may be decoded at once, and as many received.
const maxParsing = 4

// manifest answers for a manifest or index, by tag or digest.
func (r *Registry) manifest(q *request) error {
	ref := q.vars["reference"]
	var tag string
	var dgst digest.Digest
	var err error
	if strings.Contains(ref, ":") {
		if dgst, err = q.digest(ref); err != nil {
			return err
		}
	} else {
		tag = ref
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return r.getManifest(q, tag, dgst)
	case http.MethodPut:
		return r.putManifest(q, tag, dgst)
	case http.MethodDelete:
		return r.publish(q, func() error { return deleteManifest(q, tag, dgst) })
	}
	return methodNotAllowed()
}

// getManifest serves the bytes as they are on the disk. Whether they are damaged is the client's to find out, who has
// to check the digest anyway.
func (r *Registry) getManifest(q *request, tag string, dgst digest.Digest) error {
	ctx := q.Context()
	if tag != "" {
		desc, err := q.repo.Tags(ctx).Get(ctx, tag)
		if err != nil {
			return err
		}
		dgst = desc.Digest
	}
	manifests, err := q.repo.Manifests(ctx)
	if err != nil {
		return err
	}
	if ok, err := manifests.Exists(ctx, dgst); err != nil || !ok {
		return errors.Join(err, errcode.ErrorCodeManifestUnknown.WithDetail(dgst))
	}
	f, err := os.Open(r.driver.blobFile(dgst))
	if errors.Is(err, os.ErrNotExist) {
		return errcode.ErrorCodeManifestUnknown.WithDetail(dgst)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	mediaType, err := r.mediaType(ctx, f)
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Docker-Content-Digest", dgst.String())
	h.Set("Etag", `"`+dgst.String()+`"`)
	http.ServeContent(q.w, q.Request, "", time.Time{}, f)
	return nil
}

// mediaType reads a manifest for its type. Few do so at a time; how long a client takes to receive it does not matter.
func (r *Registry) mediaType(ctx context.Context, f *os.File) (string, error) {
	done, err := turn(ctx, r.parsing)
	if err != nil {
		return "", err
	}
	defer done()
	raw, err := readManifest(f)
	if err != nil {
		return "", err
	}
	return mediaTypeOf(raw), nil
}

// turn waits until less than all of a kind are at work.
func turn(ctx context.Context, places chan struct{}) (done func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// readManifest reads a manifest's file, as far as one can be long.
func readManifest(f *os.File) ([]byte, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	raw := make([]byte, min(fi.Size(), maxManifest))
	n, err := f.ReadAt(raw, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return raw[:n], err
}

// there tells whether JSON has a member, without decoding it.
type there bool

// UnmarshalJSON notes that it is there.
func (t *there) UnmarshalJSON(b []byte) error {
	*t = string(b) != "null"
	return nil
}

// mediaTypeOf finds a manifest's type in its bytes, where OCI manifests need not name it.
func mediaTypeOf(raw []byte) string {
	var doc struct {
		MediaType string `json:"mediaType"`
		Manifests there  `json:"manifests"`
	}
	switch err := json.Unmarshal(raw, &doc); {
	case err != nil:
		return "application/octet-stream"
	case doc.MediaType != "":
		return doc.MediaType
	case bool(doc.Manifests):
		return ocispec.MediaTypeImageIndex
	}
	return ocispec.MediaTypeImageManifest
}

// receiveManifest reads a manifest that is pushed, and refuses one that is too large or too dense to be decoded.
func (q *request) receiveManifest() ([]byte, error) {
	var raw []byte
	var err error
	if q.ContentLength > maxManifest {
		return nil, errcode.ErrorCodeManifestInvalid.WithDetail(fmt.Sprintf("it has more than %d bytes", maxManifest))
	}
	body := http.MaxBytesReader(q.w, q.Body, maxManifest)
	if q.ContentLength >= 0 {
		raw = make([]byte, q.ContentLength)
		_, err = io.ReadFull(body, raw)
	} else {
		raw, err = io.ReadAll(body)
	}
	if err == nil {
		err = bundle.CheckManifest(raw)
	}
	if err != nil {
		return nil, errcode.ErrorCodeManifestInvalid.WithDetail(err.Error())
	}
	return raw, nil
}

// putManifest stores a manifest whose blobs are there. Of an index only what the site needs has to be.
func (r *Registry) putManifest(q *request, tag string, dgst digest.Digest) error {
	done, err := turn(q.Context(), r.storing)
	if err != nil {
		return err
	}
	defer done()
	raw, err := q.receiveManifest()
	if err != nil {
		return err
	}
	m, desc, err := distribution.UnmarshalManifest(q.Header.Get("Content-Type"), raw)
	if err != nil {
		return errcode.ErrorCodeManifestInvalid.WithDetail(err.Error())
	}
	if dgst != "" && desc.Digest != dgst {
		return errcode.ErrorCodeDigestInvalid.WithDetail(desc.Digest)
	}
	ctx := q.Context()
	manifests, err := q.repo.Manifests(ctx)
	if err != nil {
		return err
	}
	err = r.publishBlob(q, desc.Digest, func() error {
		if err := r.dropUnlessEqual(desc.Digest, raw); err != nil {
			return err
		}
		if _, err := manifests.Put(ctx, m); err != nil || tag == "" {
			return err
		}
		return q.repo.Tags(ctx).Tag(ctx, tag, desc)
	})
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Location", "/v2/"+q.name.Name()+"/manifests/"+desc.Digest.String())
	h.Set("Docker-Content-Digest", desc.Digest.String())
	h.Set("Content-Length", "0")
	q.w.WriteHeader(http.StatusCreated)
	return nil
}

// deleteManifest deletes a tag, or a manifest with the tags that point to it.
func deleteManifest(q *request, tag string, dgst digest.Digest) error {
	ctx := q.Context()
	tags := q.repo.Tags(ctx)
	if tag != "" {
		if err := tags.Untag(ctx, tag); err != nil {
			return err
		}
		q.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	manifests, err := q.repo.Manifests(ctx)
	if err != nil {
		return err
	}
	// Tags first: after a crash in between, a manifest without its tag does less harm than the reverse.
	pointing, err := tags.Lookup(ctx, ocispec.Descriptor{Digest: dgst})
	if err != nil {
		return err
	}
	for _, t := range pointing {
		var gone storagedriver.PathNotFoundError
		if err := tags.Untag(ctx, t); err != nil && !errors.As(err, &gone) {
			return err
		}
	}
	if err := manifests.Delete(ctx, dgst); err != nil {
		if errors.Is(err, distribution.ErrBlobUnknown) {
			return errcode.ErrorCodeManifestUnknown.WithDetail(dgst)
		}
		return err
	}
	q.w.WriteHeader(http.StatusAccepted)
	return nil
}
