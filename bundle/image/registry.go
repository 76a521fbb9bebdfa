package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

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
	repo   name.Repository
	client *http.Client // authenticates, and retries what never got an answer
	name   bundle.Reference
}

// newTransport makes the transport of a Resolver that was given none. A body may take long; an answer may not.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
	}
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
		return nil, fmt.Errorf("credentials for %s: %w", n.Host, err)
	}
	retry := transport.NewRetry(cfg.Transport, transport.WithRetryPredicate(worthRetrying),
		transport.WithRetryStatusCodes(http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout))
	rt, err := transport.NewWithContext(ctx, repo.Registry, auth, retry, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, registryError(err, n.Host)
	}
	return &registry{repo: repo, client: &http.Client{Transport: rt}, name: n}, nil
}

// worthRetrying tells faults of the moment from those that will stay.
func worthRetrying(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.Temporary()
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EPIPE)
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
		return nil, registryError(err, r.name.Host)
	}
	if err := transport.CheckError(resp, wanted...); err != nil {
		return nil, closing(resp.Body, registryError(err, r.name.Host))
	}
	return resp, nil
}

// registryError parts what will not get better by trying again from what may.
func registryError(err error, host string) error {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound:
			return &Error{Problem: host + " does not have it", Err: fmt.Errorf("%w: %w", errNotFound, err),
				Advice: "push it there, or name another source for it in release.yaml"}
		case http.StatusUnauthorized, http.StatusForbidden:
			return &Error{Problem: host + " denies access, or does not have it", Err: err,
				Advice: "check the name, or log in: docker login " + host}
		}
	}
	return fmt.Errorf("registry %s: %w", host, err)
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
	resp, err := r.get(ctx, r.url("manifests", id), acceptManifests(), http.StatusOK)
	if err != nil {
		return Manifest{}, err
	}
	defer resp.Body.Close()
	raw, err := readDocument(resp.Body, "manifest "+id)
	if err != nil {
		return Manifest{}, err
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		mediaType = "" // then the manifest itself has to say what it is
	}
	return newManifest(raw, mediaType), nil
}

func (r *registry) manifest(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	resp, err := r.get(ctx, r.url("manifests", desc.Digest.String()), acceptManifests(), http.StatusOK)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// referrers asks the referrers API, and where there is none, the fallback tag.
func (r *registry) referrers(ctx context.Context, d digest.Digest) ([]ocispec.Descriptor, error) {
	var descs []ocispec.Descriptor
	next := r.url("referrers", d.String())
	for page := 0; next != nil && page < maxReferrerPages; page++ {
		resp, err := r.get(ctx, next, http.Header{"Accept": {ocispec.MediaTypeImageIndex}}, http.StatusOK,
			http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented)
		if err != nil {
			return nil, err
		}
		m, err := referrersPage(resp)
		if err != nil {
			return nil, err
		}
		if m == nil {
			return r.fallback(ctx, d)
		}
		doc, err := parse(*m)
		if err != nil {
			return nil, err
		}
		descs = append(descs, doc.Manifests...)
		next = nextPage(resp)
	}
	return descs, nil
}

// referrersPage reads an answer of the referrers API; nil if the registry has no such API.
func referrersPage(resp *http.Response) (*Manifest, error) {
	defer resp.Body.Close()
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != http.StatusOK || mediaType != ocispec.MediaTypeImageIndex {
		return nil, nil
	}
	raw, err := readDocument(resp.Body, "the list of referrers")
	if err != nil {
		return nil, err
	}
	m := newManifest(raw, mediaType)
	return &m, nil
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
