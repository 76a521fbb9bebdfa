package embedded

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// beginUpload opens a session, or makes a blob of another repository available in this one.
func (r *Registry) beginUpload(q *request) error {
	if q.Method != http.MethodPost {
		return methodNotAllowed()
	}
	query := q.URL.Query()
	if from := query.Get("mount"); from != "" && query.Get("from") != "" {
		if done, err := r.mount(q, from, query.Get("from")); done || err != nil {
			return err
		}
	}
	w, err := r.newUpload(q)
	if err != nil {
		return err
	}
	defer r.sessions.leave(w.ID())
	defer w.Close()
	if dgst := query.Get("digest"); dgst != "" {
		return r.receiveAndCommit(q, w, dgst)
	}
	q.answerProgress(w, http.StatusAccepted)
	return nil
}

// newUpload opens a session that the request is busy with.
func (r *Registry) newUpload(q *request) (distribution.BlobWriter, error) {
	r.sessions.entry.Lock()
	defer r.sessions.entry.Unlock()
	if err := r.makeRoom(q.Context(), 1); err != nil {
		return nil, err
	}
	w, err := q.repo.Blobs(q.Context()).Create(q.Context())
	if err != nil {
		return nil, err
	}
	r.sessions.begin(w.ID(), filepath.Join(r.cfg.Dir, repositoriesDir, q.name.Name(), uploadsDir, w.ID()))
	return w, nil
}

func (r *Registry) mount(q *request, what, from string) (done bool, err error) {
	dgst, err := q.digest(what)
	if err != nil {
		return false, err
	}
	source, err := reference.WithName(from)
	if err != nil {
		return false, errcode.ErrorCodeNameInvalid.WithDetail(err.Error())
	}
	canonical, err := reference.WithDigest(source, dgst)
	if err != nil {
		return false, err
	}
	err = r.publish(q, func() error {
		w, err := q.repo.Blobs(q.Context()).Create(q.Context(), storage.WithMountFrom(canonical))
		var mounted distribution.ErrBlobMounted
		switch {
		case errors.As(err, &mounted):
			q.answerBlob(dgst)
			done = true
			return nil
		case err != nil:
			return err
		}
		return w.Cancel(q.Context()) // the source has no such blob; an ordinary upload follows
	})
	return done, err
}

// upload goes on with a session.
func (r *Registry) upload(q *request) error {
	id := q.vars["uuid"]
	if err := r.sessions.take(id); err != nil {
		return err
	}
	defer r.sessions.leave(id)
	w, err := q.repo.Blobs(q.Context()).Resume(q.Context(), id)
	if err != nil {
		return err
	}
	defer w.Close()
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		q.answerProgress(w, http.StatusNoContent)
		return nil
	case http.MethodPatch:
		if err := q.receive(w); err != nil {
			return err
		}
		q.answerProgress(w, http.StatusAccepted)
		return nil
	case http.MethodPut:
		return r.receiveAndCommit(q, w, q.URL.Query().Get("digest"))
	case http.MethodDelete:
		if err := w.Cancel(q.Context()); err != nil {
			return err
		}
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return methodNotAllowed()
}

// receive appends the request's body to a session. A full disk ends the session: its bytes are part of what fills it.
func (q *request) receive(w distribution.BlobWriter) error {
	if err := checkRange(q.Header.Get("Content-Range"), w.Size(), q.ContentLength); err != nil {
		return err
	}
	n, err := io.Copy(w, http.MaxBytesReader(q.w, q.Body, bundle.MaxBlobSize-w.Size()))
	if err == nil && q.ContentLength >= 0 && n != q.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		return nil
	}
	if isFull(err) {
		return errors.Join(err, w.Cancel(q.Context()))
	}
	return fmt.Errorf("receive: %w", err)
}

// receiveAndCommit takes the rest of a blob and gives it its name.
func (r *Registry) receiveAndCommit(q *request, w distribution.BlobWriter, as string) error {
	dgst, err := q.digest(as)
	if err != nil {
		return err
	}
	if err := q.receive(w); err != nil {
		return err
	}
	err = r.publishBlob(q, dgst, func() error {
		if err := r.dropUnlessSize(dgst, w.Size()); err != nil {
			return err
		}
		_, err := w.Commit(q.Context(), ocispec.Descriptor{Digest: dgst})
		return err
	})
	if err != nil {
		_ = w.Cancel(q.Context()) // what is left of it is thrown away by age
		return err
	}
	q.answerBlob(dgst)
	return nil
}

// checkRange makes sure that a part of a blob follows what is there.
func checkRange(header string, have, length int64) error {
	if header == "" {
		return nil
	}
	first, last, ok := strings.Cut(header, "-")
	start, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	if !ok || err1 != nil || err2 != nil || start != have || end < start || length >= 0 && end-start+1 != length {
		return errcode.ErrorCodeRangeInvalid.WithDetail(fmt.Sprintf("%d bytes are here", have))
	}
	return nil
}

func (q *request) answerProgress(w distribution.BlobWriter, status int) {
	h := q.w.Header()
	h.Set("Location", "/v2/"+q.name.Name()+"/blobs/uploads/"+w.ID())
	h.Set("Docker-Upload-Uuid", w.ID())
	h.Set("Range", fmt.Sprintf("0-%d", max(w.Size()-1, 0)))
	h.Set("Content-Length", "0")
	q.w.WriteHeader(status)
}

func (q *request) answerBlob(dgst digest.Digest) {
	h := q.w.Header()
	h.Set("Location", "/v2/"+q.name.Name()+"/blobs/"+dgst.String())
	h.Set("Docker-Content-Digest", dgst.String())
	h.Set("Content-Length", "0")
	q.w.WriteHeader(http.StatusCreated)
}
