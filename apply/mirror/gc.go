package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Place is a manifest in the mirror.
type Place struct {
	Repository string        `json:"repository"`
	Digest     digest.Digest `json:"digest"`
}

// GCConfig says what stays.
type GCConfig struct {
	// Keep are the releases that may still be needed: both slots', and any other that a rollback may want.
	Keep []*bundle.Descriptor
	// Drop are releases that the site once had. What they share with Keep stays.
	Drop []*bundle.Descriptor
	// DryRun deletes nothing and reports what would be deleted.
	DryRun bool
}

// GC deletes the manifests that only dropped releases need, with their tags and their entries in lists of referrers,
// and returns them. Manifests that no release of the site brought are left alone. Blobs are not deleted here: after it
// an embedded mirror's folder wants embedded.Sweep, another registry its own garbage collection.
//
// Keep loads and GC apart by the site's lock. An interrupted GC is finished by the next. If the registry does not
// allow deletes the error is ErrDeleteRefused, and nothing has changed.
func GC(ctx context.Context, c *Client, cfg GCConfig) ([]Place, error) {
	keep, err := collect(cfg.Keep)
	if err != nil {
		return nil, err
	}
	drop, err := collect(cfg.Drop)
	if err != nil {
		return nil, err
	}
	g := &collector{c: c, dry: cfg.DryRun, keep: keep}
	for _, p := range slices.SortedFunc(maps.Keys(drop.tags), compareTag) {
		if err := g.cutIndex(ctx, p, drop); err != nil {
			return g.deleted, err
		}
	}
	for _, p := range drop.sorted() {
		if err := g.drop(ctx, p, drop.manifests[p]); err != nil {
			return g.deleted, err
		}
	}
	return g.deleted, nil
}

// rank orders deletions: parents before what they refer to, so that an interrupted GC leaves nothing dangling.
type rank int

const (
	rankAttached rank = iota
	rankIndex
	rankInner
	rankManifest
)

type entry struct {
	rank    rank
	subject digest.Digest // of a referrer
}

type tagged struct{ repo, tag string }

// belongings are the manifests and tags of releases.
type belongings struct {
	manifests map[Place]entry
	tags      map[tagged]bool // of images that are indexes
}

func collect(releases []*bundle.Descriptor) (belongings, error) {
	b := belongings{make(map[Place]entry), make(map[tagged]bool)}
	for _, d := range releases {
		for _, img := range d.Images {
			name, err := Repository(img.Name)
			if err != nil {
				return b, err
			}
			b.add(name, img)
		}
	}
	return b, nil
}

func (b belongings) add(name bundle.Reference, img bundle.Image) {
	for _, m := range img.Manifests {
		b.manifests[Place{name.Repository, m.Digest}] = entry{rank: rankManifest}
	}
	if bundle.IsIndex(img.MediaType) {
		b.manifests[Place{name.Repository, img.Digest}] = entry{rank: rankIndex}
		for _, x := range img.Indexes {
			b.manifests[Place{name.Repository, x.Digest}] = entry{rank: rankInner}
		}
		if name.Tag != "" {
			b.tags[tagged{name.Repository, name.Tag}] = true
		}
	}
	if at := (Place{name.Repository, img.Pinned}); img.Pinned != "" && b.manifests[at] == (entry{}) {
		b.manifests[at] = entry{rank: rankIndex} // an index that was cut down
	}
	for _, a := range img.Attached {
		e := entry{rank: rankAttached}
		if a.Tag == "" {
			e.subject = a.Subject
		}
		b.manifests[Place{name.Repository, a.Digest}] = e
	}
}

func (b belongings) sorted() []Place {
	return slices.SortedFunc(maps.Keys(b.manifests), func(p, q Place) int {
		return cmp.Or(cmp.Compare(b.manifests[p].rank, b.manifests[q].rank),
			cmp.Compare(p.Repository, q.Repository), cmp.Compare(p.Digest, q.Digest))
	})
}

func compareTag(a, b tagged) int {
	return cmp.Or(cmp.Compare(a.repo, b.repo), cmp.Compare(a.tag, b.tag))
}

type collector struct {
	c       *Client
	dry     bool
	keep    belongings
	deleted []Place
}

// drop deletes one manifest, unless a release that stays needs it or it is gone.
func (g *collector) drop(ctx context.Context, p Place, e entry) error {
	if _, kept := g.keep.manifests[p]; kept {
		return nil
	}
	if e.subject != "" && !g.dry {
		err := g.c.updateFallback(ctx, p.Repository, e.subject, func(have []ocispec.Descriptor) []ocispec.Descriptor {
			return slices.DeleteFunc(have, func(d ocispec.Descriptor) bool { return d.Digest == p.Digest })
		})
		if err != nil {
			return g.c.fail(ctx, err, "unlist %s in %s", p.Digest, p.Repository)
		}
	}
	return g.delete(ctx, p)
}

func (g *collector) delete(ctx context.Context, p Place) error {
	if _, err := g.c.Resolve(ctx, p.Repository, p.Digest.String()); errors.Is(err, ErrNotFound) {
		return nil
	}
	if !g.dry {
		if err := g.c.DeleteManifest(ctx, p.Repository, p.Digest); err != nil {
			return err
		}
	}
	g.deleted = append(g.deleted, p)
	return nil
}

// cutIndex deletes what TagImage pushed in place of an index that the registry refused: an index under a dropped
// image's tag that names only manifests of dropped releases.
func (g *collector) cutIndex(ctx context.Context, t tagged, drop belongings) error {
	raw, mediaType, err := g.c.Manifest(ctx, t.repo, t.tag)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) || err == nil && !bundle.IsIndex(mediaType) {
		return nil
	}
	if err != nil {
		return err
	}
	p := Place{t.repo, digest.FromBytes(raw)}
	if _, known := drop.manifests[p]; known {
		return nil // it is dropped by its digest
	}
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("index %s of %s: %w", t.tag, t.repo, err)
	}
	if len(index.Manifests) == 0 {
		return nil
	}
	for _, m := range index.Manifests {
		at := Place{t.repo, m.Digest}
		_, known := drop.manifests[at]
		if _, kept := g.keep.manifests[at]; kept || !known {
			return nil
		}
	}
	return g.delete(ctx, p)
}
