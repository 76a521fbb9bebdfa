package embedded

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	"github.com/gorilla/mux"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// maxManifest is the largest manifest in bytes; distribution's limit too.
const maxManifest = 4 << 20

// request is one request about one repository.
type request struct {
	*http.Request
	w    http.ResponseWriter
	vars map[string]string
	name reference.Named
	repo distribution.Repository
}

// handler answers a request, or returns the error to answer with, before it has written anything.
type handler func(*request) error

// ServeHTTP implements the OCI distribution protocol.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if err := r.admit(w, req); err != nil {
		r.note(req, err)
		hurry(w)
		w.Header().Set("Connection", "close") // what is left of the request is not worth reading
		r.refuse(&request{w: w, Request: req}, err)
		return
	}
	r.router.ServeHTTP(pace(w, req), req)
}

func (r *Registry) base(w http.ResponseWriter, req *http.Request) {
	r.prove(w, req)
	w.Header().Set("WWW-Authenticate", authenticate) // skopeo sends no credentials to push with unless it is told here
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

func (r *Registry) handle(named bool, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		q := &request{w: w, Request: req, vars: mux.Vars(req)}
		var err error
		if named {
			err = r.find(q)
		}
		if err == nil {
			err = h(q)
		}
		r.note(req, err)
		if err != nil {
			r.refuse(q, err)
		}
	})
}

func (r *Registry) note(req *http.Request, err error) {
	r.log.Debug("mirror: request", "method", req.Method, "path", req.URL.Path, "from", req.RemoteAddr, "error", err)
}

func (r *Registry) find(q *request) error {
	name, err := reference.WithName(q.vars["name"])
	if err != nil {
		return errcode.ErrorCodeNameInvalid.WithDetail(err.Error())
	}
	q.name = name
	q.repo, err = r.storage.Repository(q.Context(), name)
	return err
}

// digest reads the digest in the request's path.
func (q *request) digest(from string) (digest.Digest, error) {
	d, err := digest.Parse(from)
	if err == nil && d.Algorithm() != digest.SHA256 {
		err = digest.ErrDigestUnsupported
	}
	if err != nil {
		return "", errcode.ErrorCodeDigestInvalid.WithDetail(err.Error())
	}
	return d, nil
}

func (q *request) json(v any) error {
	q.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(q.w).Encode(v)
}

func methodNotAllowed() error { return errcode.ErrorCodeUnsupported }

// refuse answers with an error in the protocol's form.
func (r *Registry) refuse(q *request, err error) {
	if q.Context().Err() != nil { // nobody listens
		return
	}
	errs := registryErrors(err)
	if isFull(err) {
		// The protocol has no code for this; the status is the one made for it.
		q.w = &fixedStatus{q.w, http.StatusInsufficientStorage}
	}
	if first, ok := errs[0].(errcode.ErrorCoder); ok && first.ErrorCode() == errcode.ErrorCodeUnknown {
		r.log.Error("mirror: request failed", "method", q.Method, "path", q.URL.Path, "error", err)
	}
	if err := errcode.ServeJSON(q.w, errs); err != nil {
		r.log.Debug("mirror: answer not sent", slog.Any("error", err))
	}
}

type fixedStatus struct {
	http.ResponseWriter
	status int
}

func (w *fixedStatus) WriteHeader(int) { w.ResponseWriter.WriteHeader(w.status) }

// registryErrors turns an error of the storage into the protocol's.
func registryErrors(err error) errcode.Errors {
	var (
		many     errcode.Errors
		coded    errcode.Error
		code     errcode.ErrorCode
		verify   distribution.ErrManifestVerification
		blob     distribution.ErrBlobInvalidDigest
		tag      distribution.ErrTagUnknown
		repo     distribution.ErrRepositoryUnknown
		revision distribution.ErrManifestUnknownRevision
		missing  storagedriver.PathNotFoundError
	)
	switch {
	case errors.As(err, &many) && len(many) > 0:
		return many
	case errors.As(err, &coded):
		return errcode.Errors{coded}
	case errors.As(err, &code):
		return errcode.Errors{code}
	case errors.As(err, &verify):
		return verifyErrors(verify)
	case errors.As(err, &blob):
		return errcode.Errors{errcode.ErrorCodeDigestInvalid.WithDetail(blob.Error())}
	case errors.Is(err, distribution.ErrBlobInvalidLength):
		return errcode.Errors{errcode.ErrorCodeSizeInvalid}
	case errors.Is(err, distribution.ErrBlobUnknown), errors.Is(err, os.ErrNotExist):
		return errcode.Errors{errcode.ErrorCodeBlobUnknown}
	case errors.Is(err, distribution.ErrBlobUploadUnknown):
		return errcode.Errors{errcode.ErrorCodeBlobUploadUnknown}
	case errors.As(err, &tag), errors.As(err, &revision), errors.As(err, &missing):
		return errcode.Errors{errcode.ErrorCodeManifestUnknown.WithDetail(err.Error())}
	case errors.As(err, &repo):
		return errcode.Errors{errcode.ErrorCodeNameUnknown.WithDetail(err.Error())}
	}
	return errcode.Errors{errcode.ErrorCodeUnknown.WithDetail(err.Error())}
}

func verifyErrors(verify distribution.ErrManifestVerification) errcode.Errors {
	var errs errcode.Errors
	for _, err := range verify {
		var missing distribution.ErrManifestBlobUnknown
		if errors.As(err, &missing) {
			errs = append(errs, errcode.ErrorCodeManifestBlobUnknown.WithDetail(missing.Digest))
			continue
		}
		errs = append(errs, errcode.ErrorCodeManifestInvalid.WithDetail(err.Error()))
	}
	if len(errs) == 0 {
		errs = append(errs, errcode.ErrorCodeManifestInvalid)
	}
	return errs
}

// publish runs what makes blobs or manifests visible, or takes them away, apart from sweeps.
func (r *Registry) publish(q *request, f func() error) error {
	lock, err := lockFile(q.Context(), filepath.Join(r.cfg.Dir, writeLock), unix.LOCK_SH)
	if err != nil {
		return err
	}
	return errors.Join(f(), lock.Close())
}

// publishBlob is publish for one digest, one request at a time.
func (r *Registry) publishBlob(q *request, dgst digest.Digest, f func() error) error {
	return r.publish(q, func() error {
		mu := &r.digests[digestByte(dgst)%len(r.digests)]
		mu.Lock()
		defer mu.Unlock()
		return f()
	})
}
