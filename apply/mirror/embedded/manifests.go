package embedded

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

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
	raw, err := readManifest(r.driver.blobFile(dgst))
	if errors.Is(err, os.ErrNotExist) {
		return errcode.ErrorCodeManifestUnknown.WithDetail(dgst)
	}
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", mediaTypeOf(raw))
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	h.Set("Docker-Content-Digest", dgst.String())
	h.Set("Etag", `"`+dgst.String()+`"`)
	q.w.WriteHeader(http.StatusOK)
	if q.Method == http.MethodGet {
		_, err = q.w.Write(raw)
		r.logUnsent(err)
	}
	return nil
}

func (r *Registry) logUnsent(err error) {
	if err != nil {
		r.log.Debug("mirror: answer not sent", "error", err)
	}
}

func readManifest(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxManifest))
}

// mediaTypeOf finds a manifest's type in its bytes, where OCI manifests need not name it.
func mediaTypeOf(raw []byte) string {
	var doc struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
	}
	switch err := json.Unmarshal(raw, &doc); {
	case err != nil:
		return "application/octet-stream"
	case doc.MediaType != "":
		return doc.MediaType
	case doc.Manifests != nil:
		return ocispec.MediaTypeImageIndex
	}
	return ocispec.MediaTypeImageManifest
}

// putManifest stores a manifest whose blobs are there. Of an index only what the site needs has to be.
func (r *Registry) putManifest(q *request, tag string, dgst digest.Digest) error {
	raw, err := io.ReadAll(http.MaxBytesReader(q.w, q.Body, maxManifest))
	if err != nil {
		return errcode.ErrorCodeManifestInvalid.WithDetail(err.Error())
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
