package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FallbackTag is the tag under which clients look for what refers to a manifest where the registry does not keep a
// list by itself (OCI distribution specification, "Referrers Tag Schema").
func FallbackTag(subject digest.Digest) string {
	return strings.ReplaceAll(subject.String(), ":", "-")
}

// Referrers lists what refers to a manifest: by the registry's own list if it keeps one, otherwise by the fallback
// tag.
func (c *Client) Referrers(ctx context.Context, repo string, subject digest.Digest) ([]ocispec.Descriptor, error) {
	index, err := c.referrersAPI(ctx, repo, subject)
	if errors.Is(err, ErrNotFound) {
		index, _, err = c.fallbackIndex(ctx, repo, subject)
	}
	if err != nil {
		return nil, c.fail(ctx, err, "list what refers to %s in %s", subject, repo)
	}
	return index.Manifests, nil
}

// referrersAPI returns ErrNotFound if the registry does not keep the list.
func (c *Client) referrersAPI(ctx context.Context, repo string, subject digest.Digest) (*ocispec.Index, error) {
	if err := checkDigest(subject); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, call{
		method: http.MethodGet, repo: repo, url: c.repoURL(repo, "referrers/"+subject.String()), want: []int{http.StatusOK},
	})
	if err != nil {
		return nil, err
	}
	defer resp.done()
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), ocispec.MediaTypeImageIndex) {
		return nil, ErrNotFound // some registries answer any path
	}
	index := new(ocispec.Index)
	return index, decodeJSON(resp.Body, index)
}

// fallbackIndex reads the index under the fallback tag, an empty one if there is none.
func (c *Client) fallbackIndex(ctx context.Context, repo string, subject digest.Digest) (*ocispec.Index, []byte, error) {
	raw, _, err := c.getManifest(ctx, repo, FallbackTag(subject))
	if errors.Is(err, ErrNotFound) {
		return new(ocispec.Index), nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	index := new(ocispec.Index)
	return index, raw, decodeJSON(bytes.NewReader(raw), index)
}

// AddReferrers makes manifests, pushed before, known as referring to subject. Registries that keep the list by
// themselves need nothing; for the others the fallback tag's index gets the entries it lacks. Entries of others stay.
// The same entries give the same bytes in any order of calls.
func (c *Client) AddReferrers(ctx context.Context, repo string, subject digest.Digest, referrers []ocispec.Descriptor) error {
	err := c.addReferrers(ctx, repo, subject, referrers)
	return c.fail(ctx, err, "list what refers to %s in %s", subject, repo)
}

func (c *Client) addReferrers(ctx context.Context, repo string, subject digest.Digest, referrers []ocispec.Descriptor) error {
	if len(referrers) == 0 {
		return nil
	}
	switch index, err := c.referrersAPI(ctx, repo, subject); {
	case err == nil && lists(index.Manifests, referrers):
		return nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	return c.updateFallback(ctx, repo, subject, func(have []ocispec.Descriptor) []ocispec.Descriptor {
		return mergeReferrers(have, referrers)
	})
}

// updateFallback changes the index under the fallback tag. Its former bytes are deleted, where that is allowed: no
// tag points to them any more.
func (c *Client) updateFallback(ctx context.Context, repo string, subject digest.Digest, change func([]ocispec.Descriptor) []ocispec.Descriptor) error {
	index, old, err := c.fallbackIndex(ctx, repo, subject)
	if err != nil {
		return err
	}
	index.Manifests = change(index.Manifests)
	if len(index.Manifests) == 0 {
		if old == nil {
			return nil
		}
		return c.remove(ctx, repo, "manifests/", digest.FromBytes(old))
	}
	index.Versioned = specs.Versioned{SchemaVersion: 2}
	index.MediaType = ocispec.MediaTypeImageIndex
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if bytes.Equal(raw, old) {
		return nil
	}
	if _, err := c.pushManifest(ctx, repo, FallbackTag(subject), index.MediaType, raw); err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	if err := c.remove(ctx, repo, "manifests/", digest.FromBytes(old)); err != nil && !errors.Is(err, ErrDeleteRefused) {
		return fmt.Errorf("delete the former index: %w", err)
	}
	return nil
}

// mergeReferrers adds entries by digest, sorted, so that the result does not depend on who came first.
func mergeReferrers(have, add []ocispec.Descriptor) []ocispec.Descriptor {
	byDigest := make(map[digest.Digest]ocispec.Descriptor, len(have)+len(add))
	for _, d := range slices.Concat(have, add) {
		byDigest[d.Digest] = d
	}
	return slices.SortedFunc(maps.Values(byDigest), func(a, b ocispec.Descriptor) int {
		return strings.Compare(string(a.Digest), string(b.Digest))
	})
}

// lists tells whether all of want are in have.
func lists(have, want []ocispec.Descriptor) bool {
	return !slices.ContainsFunc(want, func(w ocispec.Descriptor) bool {
		return !slices.ContainsFunc(have, func(h ocispec.Descriptor) bool { return h.Digest == w.Digest })
	})
}
