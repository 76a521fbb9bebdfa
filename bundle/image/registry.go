package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// maxReferrerPages bounds how many pages of a referrers listing are read.
const maxReferrerPages = 32

// registry is one repository of a registry.
type registry struct {
	repo     name.Repository
	client   *http.Client // authenticates, and is patient
	name     bundle.Reference
	patience Patience
}

// openRegistry logs in to a registry for pulling from one repository.
func openRegistry(ctx context.Context, n bundle.Reference, cfg Config) (*registry, error) {
	var opts []name.Option
	if cfg.Insecure {
		opts = append(opts, name.Insecure)
	}
	repo, err := name.NewRepository(n.Host+"/"+n.Repository, opts...)
	if err != nil {
		return nil, &Error{Problem: "no registry can be asked for it", Err: err}
	}
	auth, err := authn.Resolve(ctx, cfg.Keychain, repo)
	if err != nil {
		return nil, &Error{Problem: "the credentials for " + n.Host + " cannot be read", Err: err,
			Advice: "mend the docker or podman configuration, or log in again: docker login " + n.Host}
	}
	rt, err := transport.NewWithContext(ctx, repo.Registry, auth, &patient{cfg.Transport, cfg.Patience},
		[]string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, loginError(registryError(ctx, err, n.Host), n.Host)
	}
	return &registry{repo: repo, client: &http.Client{Transport: rt}, name: n, patience: cfg.Patience}, nil
}

// loginError is about the first request, which asks for no image.
func loginError(err error, host string) error {
	if errors.Is(err, errNotFound) {
		return &Error{Problem: host + " is not a registry: it answers 404 Not Found to /v2/", Advice: "check the name of the host"}
	}
	return err
}

// Close gives up idle connections.
func (r *registry) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// url gives the address of a manifest, a blob or a referrers listing.
func (r *registry) url(kind, id string) *url.URL {
	return &url.URL{Scheme: r.repo.Scheme(), Host: r.repo.RegistryStr(),
		Path: "/v2/" + r.repo.RepositoryStr() + "/" + kind + "/" + id}
}

// get asks for something; the answer's status is one of those wanted.
func (r *registry) get(ctx context.Context, u *url.URL, header http.Header, wanted ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, registryError(ctx, err, r.name.Host)
	}
	if err := transport.CheckError(resp, wanted...); err != nil {
		err = registryError(ctx, err, r.name.Host)
		var busy *NetworkError
		if asked, ok := retryAfter(resp.Header); ok && errors.As(err, &busy) {
			busy.Advice = fmt.Sprintf("it asks to be left alone for %s: run the same command again after that", asked)
		}
		return nil, closing(resp.Body, err)
	}
	return resp, nil
}

// document asks for JSON; the answer's status is one of those wanted. What breaks off on the way is asked for again.
func (r *registry) document(ctx context.Context, u *url.URL, header http.Header, what string, wanted ...int) ([]byte, *http.Response, error) {
	for try := 1; ; try++ {
		resp, err := r.get(ctx, u, header.Clone(), wanted...)
		if err != nil {
			return nil, nil, err
		}
		raw, err := readDocument(resp.Body, what)
		_ = resp.Body.Close() // it has been read
		var final *Error
		if errors.As(err, &final) {
			return nil, nil, err
		}
		if err == nil {
			err = r.announced(resp, raw)
		}
		if err == nil {
			return raw, resp, nil
		}
		if try == maxSilent {
			return nil, nil, registryError(ctx, err, r.name.Host)
		}
		if err := sleep(ctx, r.patience.Pause); err != nil {
			return nil, nil, err
		}
	}
}

// announced compares what came with the digest that came before it: an answer without a length may end early unnoticed.
// The digest of Docker's schema 1 is not that of its bytes.
func (r *registry) announced(resp *http.Response, raw []byte) error {
	d, err := digest.Parse(resp.Header.Get("Docker-Content-Digest"))
	if err != nil || resp.StatusCode != http.StatusOK || strings.HasPrefix(resp.Header.Get("Content-Type"), dockerSchema1) ||
		d.Algorithm().FromBytes(raw) == d {
		return nil
	}
	return io.ErrUnexpectedEOF
}

func acceptManifests() http.Header {
	return http.Header{"Accept": {strings.Join([]string{ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest,
		dockerIndex, dockerManifest}, ", ")}}
}

func (r *registry) root(ctx context.Context) (Manifest, error) {
	id := r.name.Tag
	if r.name.Digest != "" {
		id = r.name.Digest.String()
	}
	return r.read(ctx, id)
}

func (r *registry) tagged(ctx context.Context, tag string) (Manifest, error) { return r.read(ctx, tag) }

// read gets a manifest by tag or digest.
func (r *registry) read(ctx context.Context, id string) (Manifest, error) {
	raw, resp, err := r.document(ctx, r.url("manifests", id), acceptManifests(), "the manifest", http.StatusOK) //nolint:bodyclose // document has read and closed it
	if err != nil {
		return Manifest{}, err
	}
	return newManifest(raw, mediaTypeOf(resp)), nil
}

// mediaTypeOf is what an answer says it is; empty if it does not. Then the manifest itself has to say it.
func mediaTypeOf(resp *http.Response) string {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return mediaType
}

func (r *registry) manifest(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	return r.download(ctx, "manifests", desc)
}

func (r *registry) blob(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	return r.download(ctx, "blobs", desc)
}

// referrers asks the referrers API, and where there is none, the fallback tag.
func (r *registry) referrers(ctx context.Context, d digest.Digest) ([]ocispec.Descriptor, error) {
	var descs []ocispec.Descriptor
	next := r.url("referrers", d.String())
	for page := 0; next != nil && page < maxReferrerPages; page++ {
		raw, resp, err := r.document(ctx, next, http.Header{"Accept": {ocispec.MediaTypeImageIndex}}, "the list of referrers", //nolint:bodyclose // as in read
			http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
			http.StatusNotImplemented)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK || mediaTypeOf(resp) != ocispec.MediaTypeImageIndex {
			return r.fallback(ctx, d) // there is no such API
		}
		doc, err := parse(newManifest(raw, ocispec.MediaTypeImageIndex))
		if err != nil {
			return nil, err
		}
		descs = append(descs, doc.Manifests...)
		next = nextPage(resp)
	}
	return descs, nil
}

// nextPage gives the address of the page after an answer, on the same host only; nil if there is none.
func nextPage(resp *http.Response) *url.URL {
	for _, link := range resp.Header.Values("Link") {
		target, params, _ := strings.Cut(link, ";")
		if !strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
			continue
		}
		u, err := resp.Request.URL.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
		if err == nil && u.Host == resp.Request.URL.Host {
			return u
		}
	}
	return nil
}

func (r *registry) fallback(ctx context.Context, d digest.Digest) ([]ocispec.Descriptor, error) {
	m, err := r.tagged(ctx, tagFor(d, ""))
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return fallbackList(m)
}
