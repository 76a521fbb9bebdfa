package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// maxNested bounds how deep indexes may lie in one another.
const maxNested = 4

// walk finds what an index leads to. An index may lie in another, one manifest may be listed for several platforms,
// and copies often lack what they list: only what is wanted has to be there.
type walk struct {
	img          *Image
	images       []listed
	attestations []ocispec.Descriptor
	indexes      map[digest.Digest]Manifest // those inside the root
	left         []string                   // notes about what is no image, or not there
}

// listed is an image manifest of an index.
type listed struct {
	desc     ocispec.Descriptor
	platform ocispec.Platform
	through  []digest.Digest   // the indexes inside the root that lead to it, the outermost first
	manifest *PlatformManifest // if it had to be read already
}

// index goes through the entries of an index that was reached through others.
func (w *walk) index(ctx context.Context, entries []ocispec.Descriptor, through []digest.Digest) error {
	for _, e := range entries {
		switch {
		case e.Annotations[buildkitType] == buildkitAttests || e.Platform != nil && e.Platform.OS == unknown:
			w.attestations = append(w.attestations, e)
		case isIndex(e.MediaType):
			if err := w.inner(ctx, e, through); err != nil {
				return err
			}
		case isManifest(e.MediaType):
			w.images = append(w.images, listed{desc: e, through: through})
		default:
			w.left = append(w.left, fmt.Sprintf("%s, which its index lists, is a %q and no image: it stays behind", e.Digest, e.MediaType))
		}
		if len(w.images)+len(w.attestations)+len(w.left) > maxManifests {
			return errorf("its index leads to more than %d manifests", maxManifests)
		}
	}
	return nil
}

// inner goes into an index that another lists.
func (w *walk) inner(ctx context.Context, e ocispec.Descriptor, through []digest.Digest) error {
	if len(through) >= maxNested || len(w.indexes) >= bundle.MaxInnerIndexes {
		return errorf("its index has more than %d indexes inside, or more than %d in one another", bundle.MaxInnerIndexes, maxNested)
	}
	if e.Digest == w.img.Root.Desc.Digest || w.indexes[e.Digest].Raw != nil {
		return nil // nothing new is in it
	}
	raw, err := fetch(ctx, e, w.img.store.manifest)
	var doc *document
	if err == nil {
		doc, err = parse(raw)
	}
	if err != nil {
		return w.leave(e, err)
	}
	w.indexes[e.Digest] = raw
	return w.index(ctx, doc.Manifests, append(slices.Clone(through), e.Digest))
}

// leave goes on without an entry that cannot be had or used.
func (w *walk) leave(e ocispec.Descriptor, err error) error {
	var unusable *Error
	if !errors.As(err, &unusable) {
		return err
	}
	w.left = append(w.left, fmt.Sprintf("%s, which its index lists, stays behind: %v", e.Digest, err))
	return nil
}

// findPlatforms asks those entries for their platform of which the index tells none.
func (w *walk) findPlatforms(ctx context.Context) error {
	usable := w.images[:0]
	for _, l := range w.images {
		if l.desc.Platform != nil {
			l.platform = *l.desc.Platform
			usable = append(usable, l)
			continue
		}
		m, err := w.img.loadManifest(ctx, l.desc)
		if err != nil {
			if err := w.leave(l.desc, err); err != nil {
				return err
			}
			continue
		}
		l.manifest, l.platform = m, m.Platform
		usable = append(usable, l)
	}
	w.images = usable
	return nil
}

// take loads the best manifest for each wanted platform, each manifest once, and keeps the indexes that lead to them.
func (w *walk) take(ctx context.Context, wanted []ocispec.Platform) error {
	candidates := make([]ocispec.Platform, len(w.images))
	for k, l := range w.images {
		candidates[k] = l.platform
	}
	chosen, err := choose(wanted, candidates)
	if err != nil {
		return fmt.Errorf("%w%s", err, because(w.left))
	}
	taken := make(map[digest.Digest]bool)
	for _, k := range chosen {
		l := w.images[k]
		if taken[l.desc.Digest] {
			continue
		}
		taken[l.desc.Digest] = true
		if l.manifest == nil {
			if l.manifest, err = w.img.loadManifest(ctx, l.desc); err != nil {
				return err
			}
		}
		w.img.Manifests = append(w.img.Manifests, *l.manifest)
		for _, d := range l.through {
			if !taken[d] {
				taken[d] = true
				w.img.Indexes = append(w.img.Indexes, w.indexes[d])
			}
		}
	}
	slices.Reverse(w.img.Indexes) // each came after those around it
	return nil
}

// because appends to an error what was left out before it.
func because(left []string) string {
	if len(left) == 0 {
		return ""
	}
	return " (" + strings.Join(left, "; ") + ")"
}
