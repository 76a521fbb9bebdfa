package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// MaxManifest is the largest manifest in bytes that registries accept, and that is read from one.
const MaxManifest = 4 << 20

// Media types of Docker's second schema.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

var acceptManifests = []string{strings.Join([]string{
	ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, dockerManifest, dockerList}, ", ")}

var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// Manifest reads a manifest or index by tag or digest. Its bytes are checked against the digest asked for, or else
// the one that the registry names. The error is ErrNotFound if there is none.
func (c *Client) Manifest(ctx context.Context, repo, ref string) (raw []byte, mediaType string, err error) {
	raw, mediaType, err = c.getManifest(ctx, repo, ref)
	return raw, mediaType, c.fail(ctx, err, "read manifest %s of %s", ref, repo)
}

func (c *Client) getManifest(ctx context.Context, repo, ref string) ([]byte, string, error) {
	if err := checkReference(ref); err != nil {
		return nil, "", err
	}
	resp, err := c.send(ctx, call{
		method: http.MethodGet, repo: repo, url: c.repoURL(repo, "manifests/"+ref),
		header: http.Header{"Accept": acceptManifests}, want: []int{http.StatusOK},
	})
	if err != nil {
		return nil, "", err
	}
	defer resp.done()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, MaxManifest+1))
	if err != nil {
		return nil, "", err
	}
	if len(raw) > MaxManifest {
		return nil, "", fmt.Errorf("%w: manifest %s is larger than %d bytes", errGarbage, ref, MaxManifest)
	}
	if err := bundle.CheckManifest(raw); err != nil {
		return nil, "", fmt.Errorf("%w: manifest %s: %w", errGarbage, ref, err)
	}
	want := resp.Header.Get("Docker-Content-Digest")
	if isDigest(ref) {
		want = ref
	}
	if got := digest.FromBytes(raw).String(); want != "" && got != want {
		return nil, "", fmt.Errorf("%w: manifest %s has digest %s", ErrDamaged, shorten(want), got)
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return raw, strings.TrimSpace(mediaType), nil
}

// Resolve asks for the descriptor of a tag or digest without reading the manifest.
func (c *Client) Resolve(ctx context.Context, repo, ref string) (ocispec.Descriptor, error) {
	desc, err := c.headManifest(ctx, repo, ref)
	return desc, c.fail(ctx, err, "look for manifest %s in %s", ref, repo)
}

func (c *Client) headManifest(ctx context.Context, repo, ref string) (ocispec.Descriptor, error) {
	if err := checkReference(ref); err != nil {
		return ocispec.Descriptor{}, err
	}
	resp, err := c.send(ctx, call{
		method: http.MethodHead, repo: repo, url: c.repoURL(repo, "manifests/"+ref),
		header: http.Header{"Accept": acceptManifests}, want: []int{http.StatusOK},
	})
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer resp.done()
	desc := ocispec.Descriptor{
		MediaType: resp.Header.Get("Content-Type"), Size: resp.ContentLength,
		Digest: digest.Digest(resp.Header.Get("Docker-Content-Digest")),
	}
	if desc.Digest == "" && isDigest(ref) {
		desc.Digest = digest.Digest(ref)
	}
	if desc.Digest == "" || desc.Size < 0 { // GET tells more than HEAD does
		raw, mediaType, err := c.getManifest(ctx, repo, ref)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}, nil
	}
	if checkDigest(desc.Digest) != nil || desc.Size < 0 || isDigest(ref) && desc.Digest.String() != ref {
		return ocispec.Descriptor{}, fmt.Errorf("%w: manifest %s is %q", errGarbage, ref, shorten(string(desc.Digest)))
	}
	return desc, nil
}

// PushManifest stores a manifest or index by tag or digest, and reads it back by both. It returns false if it was
// there already. Push what it refers to first.
func (c *Client) PushManifest(ctx context.Context, repo, ref, mediaType string, raw []byte) (pushed bool, err error) {
	dgst := digest.FromBytes(raw)
	switch {
	case len(raw) > MaxManifest:
		err = fmt.Errorf("it is larger than %d bytes", MaxManifest)
	case isDigest(ref) && ref != dgst.String():
		err = fmt.Errorf("the bytes have digest %s", dgst)
	default:
		pushed, err = c.pushManifest(ctx, repo, ref, mediaType, raw)
	}
	return pushed, c.fail(ctx, err, "push manifest %s of %s", ref, repo)
}

func (c *Client) pushManifest(ctx context.Context, repo, ref, mediaType string, raw []byte) (bool, error) {
	if err := c.compareManifest(ctx, repo, ref, raw); err == nil {
		return false, nil
	} else if !pushHelps(err) {
		return false, err
	}
	if err := c.putManifest(ctx, repo, ref, mediaType, raw); err != nil {
		return false, err
	}
	if err := c.compareManifest(ctx, repo, digest.FromBytes(raw).String(), raw); err != nil {
		return false, fmt.Errorf("read back: %w", err)
	}
	if !isDigest(ref) {
		if err := c.compareManifest(ctx, repo, ref, raw); err != nil {
			return false, fmt.Errorf("read back: %w", err)
		}
	}
	return true, nil
}

// pushHelps tells whether a manifest that could not be read may be readable after a push: it is missing, it is
// damaged, or the registry fails over what it has of it.
func pushHelps(err error) bool {
	var status *StatusError
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) ||
		errors.As(err, &status) && status.Code == http.StatusInternalServerError
}

// compareManifest returns an error that is ErrDamaged if the registry has other bytes.
func (c *Client) compareManifest(ctx context.Context, repo, ref string, raw []byte) error {
	got, _, err := c.getManifest(ctx, repo, ref)
	if err == nil && !bytes.Equal(got, raw) {
		return fmt.Errorf("%w: %s is %s, not %s", ErrDamaged, ref, digest.FromBytes(got), digest.FromBytes(raw))
	}
	return err
}

func (c *Client) putManifest(ctx context.Context, repo, ref, mediaType string, raw []byte) error {
	resp, err := c.send(ctx, call{
		method: http.MethodPut, repo: repo, url: c.repoURL(repo, "manifests/"+ref), body: raw,
		header: http.Header{"Content-Type": {mediaType}}, want: []int{http.StatusCreated, http.StatusOK},
	})
	if err != nil {
		return err
	}
	resp.done()
	return nil
}

// DeleteManifest deletes a manifest by digest, and with it, in most registries, the tags that point to it. One that
// is not there is no error. The error is ErrDeleteRefused if the registry is set up so.
func (c *Client) DeleteManifest(ctx context.Context, repo string, dgst digest.Digest) error {
	err := c.remove(ctx, repo, "manifests/", dgst)
	return c.fail(ctx, err, "delete manifest %s of %s", dgst, repo)
}

// deleteBlob makes a repository forget a blob.
func (c *Client) deleteBlob(ctx context.Context, repo string, dgst digest.Digest) error {
	err := c.remove(ctx, repo, "blobs/", dgst)
	return c.fail(ctx, err, "delete blob %s of %s", dgst, repo)
}

func (c *Client) remove(ctx context.Context, repo, kind string, dgst digest.Digest) error {
	if err := checkDigest(dgst); err != nil {
		return err
	}
	resp, err := c.send(ctx, call{
		method: http.MethodDelete, repo: repo, url: c.repoURL(repo, kind+dgst.String()),
		want: []int{http.StatusAccepted, http.StatusOK, http.StatusNoContent, http.StatusNotFound},
	})
	var status *StatusError
	if errors.As(err, &status) && (status.Code == http.StatusMethodNotAllowed || status.has("UNSUPPORTED")) {
		return fmt.Errorf("%w: %w", ErrDeleteRefused, err)
	}
	if err != nil {
		return err
	}
	resp.done()
	return nil
}

// Tags lists a repository's tags, none if there is no such repository.
func (c *Client) Tags(ctx context.Context, repo string) ([]string, error) {
	var tags []string
	next := c.repoURL(repo, "tags/list?n=1000")
	for range 1000 {
		page, more, err := c.tagPage(ctx, repo, next)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, c.fail(ctx, err, "list tags of %s", repo)
		}
		if tags = append(tags, page...); more == "" {
			return tags, nil
		}
		next = more
	}
	return nil, c.fail(ctx, fmt.Errorf("%w: a list without end", errGarbage), "list tags of %s", repo)
}

func (c *Client) tagPage(ctx context.Context, repo, from string) (tags []string, next string, err error) {
	resp, err := c.send(ctx, call{method: http.MethodGet, repo: repo, url: from, want: []int{http.StatusOK}})
	if err != nil {
		return nil, "", err
	}
	defer resp.done()
	var doc struct {
		Tags []string `json:"tags"`
	}
	if err := decodeJSON(resp.Body, &doc); err != nil {
		return nil, "", err
	}
	link := resp.Header.Get("Link")
	if target, ok := strings.CutPrefix(link, "<"); ok && strings.Contains(link, `rel="next"`) {
		target, _, _ = strings.Cut(target, ">")
		u, err := resp.Request.URL.Parse(target)
		if err != nil || u.Host != c.base.Host {
			return nil, "", fmt.Errorf("%w: next page at %q", errGarbage, shorten(target))
		}
		next = u.String()
	}
	return doc.Tags, next, nil
}

// decodeJSON reads a registry's answer of limited size.
func decodeJSON(r io.Reader, into any) error {
	b, err := io.ReadAll(io.LimitReader(r, MaxManifest+1))
	if err != nil {
		return err
	}
	if len(b) > MaxManifest {
		return fmt.Errorf("%w: more than %d bytes", errGarbage, MaxManifest)
	}
	if err := bundle.CheckManifest(b); err != nil {
		return fmt.Errorf("%w: %w", errGarbage, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %w", errGarbage, err)
	}
	return nil
}

func isDigest(ref string) bool { return strings.Contains(ref, ":") }

// checkReference keeps anything but a tag or a digest out of URLs.
func checkReference(ref string) error {
	if isDigest(ref) {
		return checkDigest(digest.Digest(ref))
	}
	if !tagPattern.MatchString(ref) {
		return fmt.Errorf("%q is no tag", shorten(ref))
	}
	return nil
}
