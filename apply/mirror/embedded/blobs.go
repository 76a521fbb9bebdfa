package embedded

import (
	"net/http"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
)

// blob answers for a blob of a repository.
func (r *Registry) blob(q *request) error {
	dgst, err := q.digest(q.vars["digest"])
	if err != nil {
		return err
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return r.getBlob(q, dgst)
	case http.MethodDelete:
		return r.publishBlob(q, dgst, func() error {
			if err := r.dropUnlessGood(dgst); err != nil {
				return err
			}
			if err := q.repo.Blobs(q.Context()).Delete(q.Context(), dgst); err != nil {
				return err
			}
			q.w.WriteHeader(http.StatusAccepted)
			return nil
		})
	}
	return methodNotAllowed()
}

// getBlob serves a blob's bytes, or a range of them, without copying them through this process where the system can.
func (r *Registry) getBlob(q *request, dgst digest.Digest) error {
	if _, err := q.repo.Blobs(q.Context()).Stat(q.Context(), dgst); err != nil {
		return err
	}
	f, err := os.Open(r.driver.blobFile(dgst))
	if err != nil {
		return err
	}
	defer f.Close()
	h := q.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", dgst.String())
	h.Set("Etag", `"`+dgst.String()+`"`)
	http.ServeContent(q.w, q.Request, "", time.Time{}, f)
	return nil
}
