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
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/delta"
)

// way is how the original bytes of a blob that the site holds can be had here.
type way struct {
	desc ocispec.Descriptor
	// carried is the blob or the patch that an earlier bundle has; empty if the bytes come from an image source.
	carried digest.Digest
	patch   bool
	olds    []bundle.BaseBlob // what the patch is made against
	image   *bundle.Image     // the image that has the blob, if nothing is carried
	file    string            // of a part of the operating system, if nothing is carried
	from    *known
}

// finder finds ways and fetches what they need from carriers.
type finder struct {
	b       *builder
	dir     string     // for carried blobs
	finding sync.Mutex // one at a time: whoever comes second finds what the first has fetched
	needs   map[*known]map[digest.Digest]int64
	mu      sync.Mutex // for what follows
	ways    map[digest.Digest]*way
	images  map[string]func() (*image.Image, error)
	// unreachable tells by host why a registry is not asked any more: waiting for each image again would take minutes.
	unreachable map[string]*outOfReach
}

func newFinder(b *builder, dir string) *finder {
	return &finder{b: b, dir: dir, ways: make(map[digest.Digest]*way), needs: make(map[*known]map[digest.Digest]int64),
		images: make(map[string]func() (*image.Image, error)), unreachable: make(map[string]*outOfReach)}
}

// find makes out how blobs can be had, and fetches what that needs. It gives those that can. Bundles that carry a blob go
// before image sources, the fewest patches first.
func (f *finder) find(ctx context.Context, list []digest.Digest) ([]digest.Digest, error) {
	f.finding.Lock()
	defer f.finding.Unlock()
	var found []digest.Digest
	for _, d := range list {
		f.mu.Lock()
		ok := f.search(d, map[digest.Digest]bool{})
		f.mu.Unlock()
		if ok || f.inFile(ctx, d) {
			found = append(found, d)
		}
	}
	return found, f.extract(ctx)
}

// way is how a blob that was found can be had.
func (f *finder) way(d digest.Digest) *way {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ways[d]
}

func (f *finder) search(d digest.Digest, visiting map[digest.Digest]bool) bool {
	if f.ways[d] != nil {
		return true
	}
	if visiting[d] {
		return false
	}
	visiting[d] = true
	defer delete(visiting, d)
	all := slices.Concat(f.b.bases.list, f.b.bases.older)
	for _, form := range []bundle.Form{bundle.FormFull, bundle.FormRecompressed, bundle.FormDelta} {
		for _, k := range all {
			if f.carriedBy(k, d, form, visiting) {
				return true
			}
		}
	}
	for _, k := range all {
		if f.inImage(k, d) {
			return true
		}
	}
	return false
}

// carriedBy tries one earlier release that may carry the blob in one form.
func (f *finder) carriedBy(k *known, d digest.Digest, form bundle.Form, visiting map[digest.Digest]bool) bool {
	blob := k.blobs[d]
	if blob == nil || k.carrier == nil || blob.Form != form || blob.Payload == nil {
		return false
	}
	for _, old := range blob.Bases {
		if !f.search(old.Digest, visiting) {
			return false
		}
	}
	if f.needs[k] == nil {
		f.needs[k] = make(map[digest.Digest]int64)
	}
	f.needs[k][blob.Payload.Digest] = blob.Payload.Size
	f.ways[d] = &way{desc: descOf(blob), carried: blob.Payload.Digest, patch: form != bundle.FormFull, olds: blob.Bases, from: k}
	return true
}

// inImage takes the blob from the image that has it, wherever that image is.
func (f *finder) inImage(k *known, d digest.Digest) bool {
	blob := k.blobs[d]
	if blob == nil {
		return false
	}
	for i := range k.desc.Images {
		for _, m := range k.desc.Images[i].Manifests {
			for _, l := range m.Layers {
				if l == d {
					f.ways[d] = &way{desc: descOf(blob), image: &k.desc.Images[i], from: k}
					return true
				}
			}
		}
	}
	return false
}

func descOf(b *bundle.Blob) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: b.MediaType, Digest: b.Digest, Size: b.Size}
}

// extract reads what new ways need from the carriers, each of them once.
func (f *finder) extract(ctx context.Context) error {
	if len(f.needs) == 0 {
		return nil
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	for k, want := range f.needs {
		if err := k.carrier.extract(ctx, want, f.dir); err != nil {
			return fmt.Errorf("base %s: %w", k.ref, err)
		}
	}
	clear(f.needs)
	return nil
}

// open gives a blob's original bytes. expanded gives the plain bytes of a blob that a patch needs.
func (f *finder) open(ctx context.Context, d digest.Digest,
	expanded func(context.Context, digest.Digest) (delta.Old, error)) (io.ReadCloser, error) {
	w := f.way(d)
	if w == nil {
		return nil, fmt.Errorf("nobody has blob %s", d)
	}
	switch {
	case w.image != nil:
		return f.fromImage(ctx, w)
	case w.file != "":
		return os.Open(w.file)
	}
	file, err := os.Open(filepath.Join(f.dir, w.carried.Encoded()))
	if err != nil || !w.patch {
		return file, err
	}
	olds := make([]delta.Old, len(w.olds))
	for i, o := range w.olds {
		if olds[i], err = expanded(ctx, o.Digest); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	r, pipe := io.Pipe()
	go func() {
		err := delta.Apply(ctx, pipe, file, olds, delta.Limits{Size: w.desc.Size, TempDir: f.b.work})
		pipe.CloseWithError(errors.Join(err, file.Close())) // without an error this is io.EOF
	}()
	return r, nil
}

// outOfReach says that layers of a base cannot be had because their registry is not there. Everybody has been told.
type outOfReach struct {
	base *known
	err  error
}

func (e *outOfReach) Error() string { return e.err.Error() }
func (e *outOfReach) Unwrap() error { return e.err }

// reach asks the sources of those blobs that no earlier bundle carries, each image once, before any work is built on
// them. It gives the bases that rely on what cannot be had, once for each registry.
func (f *finder) reach(ctx context.Context, list []digest.Digest) (lost []*outOfReach, err error) {
	for _, d := range list {
		w := f.way(d)
		if w == nil || w.image == nil || f.unreachable[w.host()] != nil {
			continue
		}
		_, err := f.source(ctx, w)
		var trouble *image.NetworkError
		if errors.As(err, &trouble) {
			f.unreachable[w.host()] = &outOfReach{w.from, trouble}
			lost = append(lost, f.unreachable[w.host()])
		}
	}
	return lost, ctx.Err()
}

// host is the registry of the image that has the blob.
func (w *way) host() string {
	n, err := bundle.ParseReference(w.image.Name)
	if err != nil {
		return w.image.Name // resolve says what is wrong with it
	}
	return n.Host
}

// fromImage opens a blob in one of the places that may have the image: the sources that the spec names for images of
// the same repository, then its registry.
func (f *finder) fromImage(ctx context.Context, w *way) (io.ReadCloser, error) {
	img, err := f.source(ctx, w)
	if err != nil {
		return nil, err
	}
	return img.OpenBlob(ctx, w.desc)
}

// source finds the image that has a blob, once for all its blobs.
func (f *finder) source(ctx context.Context, w *way) (*image.Image, error) {
	f.mu.Lock()
	find := f.images[w.image.Name]
	if find == nil {
		find = sync.OnceValues(func() (*image.Image, error) { return f.resolve(ctx, w) })
		f.images[w.image.Name] = find
	}
	f.mu.Unlock()
	if err := f.unreachable[w.host()]; err != nil {
		return nil, err
	}
	return find()
}

func (f *finder) resolve(ctx context.Context, w *way) (*image.Image, error) {
	n, err := bundle.ParseReference(w.image.Name)
	if err != nil {
		return nil, err
	}
	cfg := f.b.Images
	cfg.Platforms = nil
	for _, m := range w.image.Manifests {
		p, err := bundle.ParsePlatform(m.Platform)
		if err != nil {
			return nil, err
		}
		cfg.Platforms = append(cfg.Platforms, p)
	}
	resolver := image.NewResolver(cfg)
	name := n.WithDigest(w.image.Digest).String()
	for _, s := range f.b.spec.Images {
		if s.Source == "" || s.Name.Host != n.Host || s.Name.Repository != n.Repository {
			continue
		}
		if img, err := resolver.Resolve(ctx, name, s.Source); err == nil {
			return f.keep(img), nil
		}
	}
	img, err := resolver.Resolve(ctx, name, "")
	if err != nil {
		return nil, err
	}
	return f.keep(img), nil
}

func (f *finder) keep(img *image.Image) *image.Image {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.b.bases.closers = append(f.b.bases.closers, img.Close)
	return img
}
