package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// maxExpanded bounds the plain bytes of one layer: far above any that runs, far below what fills a disk unnoticed.
const maxExpanded = 64 << 30

// old is a layer that the site holds, expanded.
type old struct {
	digest digest.Digest
	plain  delta.Old
	close  func() error
	size   int64 // compressed
	list   listing
}

// tokensShare is how many bytes may be kept of how an old was compressed, for each of its compressed bytes.
const tokensShare = 2

// oldBlobs expands layers of the bases on demand, each once, and drops them after their last use.
type oldBlobs struct {
	find *finder
	dir  string
	mu   sync.Mutex
	open map[digest.Digest]*oldEntry
	// left counts the images that may still need an old.
	left map[digest.Digest]int
}

type oldEntry struct {
	mu  sync.Mutex
	old *old
	err error
}

// planOlds names for every layer that travels what the bases have that may be like it, and fetches what it takes to read the
// likeliest, unless the cache knows the layer.
func (b *builder) planOlds(ctx context.Context) error {
	b.olds = &oldBlobs{find: newFinder(b, filepath.Join(b.work, "carried")), dir: filepath.Join(b.work, "plain"),
		open: make(map[digest.Digest]*oldEntry), left: make(map[digest.Digest]int)}
	if b.Plain {
		return nil
	}
	near := make(map[string][]digest.Digest) // by what they are
	counted := make(map[*released]map[digest.Digest]bool)
	for _, x := range b.blobs {
		if !x.worked() {
			continue
		}
		kind := b.similar(x)
		if err := b.recall(x); err != nil {
			return err
		}
		if x.decided {
			continue
		}
		near[kind] = append(near[kind], x.olds[:x.near]...)
		if counted[x.img] == nil {
			counted[x.img] = make(map[digest.Digest]bool)
		}
		for _, d := range x.olds {
			if !counted[x.img][d] {
				counted[x.img][d] = true
				b.olds.left[d]++
			}
		}
	}
	if err := b.findNear(ctx, "layer", near["layer"]); err != nil {
		return err
	}
	return b.findNear(ctx, "part", near["part"])
}

// findNear fetches what the likeliest olds of a kind need, all at once.
func (b *builder) findNear(ctx context.Context, kind string, near []digest.Digest) error {
	slices.Sort(near)
	near = slices.Compact(near)
	found, err := b.olds.find.find(ctx, near)
	if unknown := len(near) - len(found); unknown > 0 && err == nil {
		b.say("note", "%s of the bases cannot be had here; name the folder of the earlier bundles as --base for smaller deltas",
			count(unknown, kind))
	}
	if err != nil {
		return err
	}
	lost, err := b.olds.find.reach(ctx, near)
	for _, l := range lost {
		what := "it does not carry all of the layers that it names"
		if l.base.carrier == nil {
			what = "it is a lock file, which carries no layers"
		}
		b.say("note", "base %s: %s, and %v: changed layers travel without them; name the earlier bundles, or their folder, as --base for smaller deltas",
			l.base.ref, what, l.err)
	}
	return err
}

// similar lists the layers of the bases that a layer may be made from, those first from which it most likely is: of the
// same image for the same platform; else of images whose repositories end alike; else all of that platform. An image
// that does not tell its platform goes with every one. It tells what they are: "layer" or "part".
func (b *builder) similar(x *blob) (kind string) {
	if x.part != nil {
		b.similarParts(x)
		return "part"
	}
	platforms := make(map[string]bool)
	for _, m := range x.img.Manifests {
		for _, l := range m.Layers {
			if l.Digest == x.desc.Digest {
				platforms[m.Platform.Architecture] = true
			}
		}
	}
	for _, alike := range []func(a, b bundle.Reference) bool{
		func(a, b bundle.Reference) bool { return a.Host == b.Host && a.Repository == b.Repository },
		func(a, b bundle.Reference) bool { return filepath.Base(a.Repository) == filepath.Base(b.Repository) },
		func(a, b bundle.Reference) bool { return true },
	} {
		b.addLayers(x, platforms, alike)
		if x.near == 0 {
			x.near = len(x.olds)
		}
	}
	return "layer"
}

// addLayers adds to a layer's olds the layers that all bases hold of images that are alike.
func (b *builder) addLayers(x *blob, architectures map[string]bool, alike func(a, b bundle.Reference) bool) {
	for _, k := range b.bases.list {
		for _, img := range k.desc.Images {
			n, err := bundle.ParseReference(img.Name)
			if err != nil || !alike(x.img.name, n) {
				continue
			}
			for _, m := range img.Manifests {
				if p, err := bundle.ParsePlatform(m.Platform); err != nil || !architectures[p.Architecture] && !architectures[""] {
					continue
				}
				for _, l := range m.Layers {
					if b.bases.held[l] && !slices.Contains(x.olds, l) && len(x.olds) < maxCandidates {
						x.olds = append(x.olds, l)
					}
				}
			}
		}
	}
}

// maxCandidates bounds how many layers of a base are looked at for one new layer.
const maxCandidates = 64

// get gives an old, expanding it if nobody has before.
func (s *oldBlobs) get(ctx context.Context, d digest.Digest) (*old, error) {
	s.mu.Lock()
	e := s.open[d]
	if e == nil {
		e = &oldEntry{}
		s.open[d] = e
	}
	s.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.old == nil && e.err == nil {
		e.old, e.err = s.expand(ctx, d)
	}
	return e.old, e.err
}

// plain is get for those who apply a patch.
func (s *oldBlobs) plain(ctx context.Context, d digest.Digest) (delta.Old, error) {
	o, err := s.get(ctx, d)
	if err != nil {
		return delta.Old{}, err
	}
	return o.plain, nil
}

func (s *oldBlobs) expand(ctx context.Context, d digest.Digest) (*old, error) {
	r, err := s.find.open(ctx, d, s.plain)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	desc := s.find.way(d).desc
	if desc.MediaType == bundle.MediaTypePart {
		return s.raw(ctx, desc, r)
	}
	o := &old{digest: d, size: desc.Size}
	file, err := delta.ExpandOld(ctx, r, maxExpanded, s.dir, tokensShare*o.size)
	if err != nil {
		return nil, fmt.Errorf("expanding layer %s of a base: %w", d, err)
	}
	o.plain, o.close = file.Old, file.Close
	if o.list, err = listTar(ctx, io.NewSectionReader(file, 0, file.Size)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return o, nil
}

// release tells that an image is done with an old. What nobody needs any more is removed.
func (s *oldBlobs) release(d digest.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[d]--
	e := s.open[d]
	if s.left[d] > 0 || e == nil || e.old == nil {
		return nil
	}
	delete(s.open, d)
	return e.old.close()
}

// close closes what is still open.
func (s *oldBlobs) close() error {
	var errs []error
	for _, e := range s.open {
		if e.old != nil {
			errs = append(errs, e.old.close())
		}
	}
	return errors.Join(errs...)
}
