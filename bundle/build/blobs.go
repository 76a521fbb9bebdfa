package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// blob is a blob of the release and how it is going to travel.
type blob struct {
	desc ocispec.Descriptor
	img  *released // the first image that has it
	part *part     // the first part that it is, if no image has it
	// layer tells a layer of an image from configs and from what is attached.
	layer bool
	raw   []byte // of a config
	// olds is what the bases have that may be like it, likeliest first. Those before near are most likely all it takes.
	olds []digest.Digest
	near int
	// partial tells that some olds could not be had: another build may do better.
	partial bool
	decided bool              // the cache knew
	files   []bundle.FileCost // what they cost in the patch
	out     bundle.Blob
}

// planBlobs lists every blob once, in the order in which a site uses them, and decides which of them travel.
func (b *builder) planBlobs(ctx context.Context) error {
	b.staged = newStaged(filepath.Join(b.work, "layers"))
	seen := make(map[digest.Digest]bool)
	add := func(x *blob) {
		if seen[x.desc.Digest] {
			return
		}
		seen[x.desc.Digest] = true
		x.out = bundle.Blob{Digest: x.desc.Digest, Size: x.desc.Size, MediaType: x.desc.MediaType, Form: bundle.FormFull}
		if b.bases.held[x.desc.Digest] && x.raw == nil && !b.Plain {
			x.out.Form = bundle.FormReuse
		}
		b.blobs = append(b.blobs, x)
	}
	for _, img := range b.release.images {
		for _, m := range img.Manifests {
			add(&blob{desc: m.Config.Desc, img: img, raw: m.Config.Raw})
			for _, l := range m.Layers {
				add(&blob{desc: l, img: img, layer: true})
			}
		}
		for _, a := range img.Attached {
			add(&blob{desc: a.Config, img: img})
			for _, l := range a.Layers {
				add(&blob{desc: l, img: img})
			}
		}
	}
	for _, p := range b.release.parts {
		if seen[p.desc.Digest] && !b.isPart(p.desc.Digest) {
			return at("spec", p.Place, "name the file of an image", fmt.Errorf("part %s is a blob of a container image too", p.Name))
		}
		add(&blob{desc: p.desc, part: p})
	}
	return b.planOlds(ctx)
}

func (b *builder) isPart(d digest.Digest) bool {
	return slices.ContainsFunc(b.blobs, func(x *blob) bool { return x.part != nil && x.desc.Digest == d })
}

// worked tells whether the blob is worth work on its form: it is a layer or a part, and travels.
func (x *blob) worked() bool { return (x.layer || x.part != nil) && x.out.Form != bundle.FormReuse }

// String names the blob for people.
func (x *blob) String() string {
	if x.part != nil {
		return "part " + x.part.Name
	}
	return fmt.Sprintf("layer %s of %s", short(x.desc.Digest), x.img.name)
}

// open gives the original bytes of the blob from its source, verified.
func (x *blob) open(ctx context.Context) (io.ReadCloser, error) {
	if x.raw != nil {
		return io.NopCloser(bytes.NewReader(x.raw)), nil
	}
	if x.part != nil {
		return x.part.open()
	}
	return x.img.OpenBlob(ctx, x.desc)
}

// staged keeps the original bytes of layers in files, so that each is fetched once however often it is read.
type staged struct {
	dir string
	mu  sync.Mutex
	one map[digest.Digest]*sync.Mutex
}

func newStaged(dir string) *staged {
	return &staged{dir: dir, one: make(map[digest.Digest]*sync.Mutex)}
}

func (s *staged) path(d digest.Digest) string { return filepath.Join(s.dir, d.Encoded()) }

// has tells whether a blob has been fetched.
func (s *staged) has(d digest.Digest) bool {
	_, err := os.Stat(s.path(d))
	return err == nil
}

// open fetches the blob if need be and opens its file.
func (s *staged) open(ctx context.Context, desc ocispec.Descriptor, from func(context.Context) (io.ReadCloser, error)) (*os.File, error) {
	if err := s.fetch(ctx, desc, from); err != nil {
		return nil, err
	}
	return os.Open(s.path(desc.Digest))
}

// fetch makes sure that the blob is in its file.
func (s *staged) fetch(ctx context.Context, desc ocispec.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	s.mu.Lock()
	lock := s.one[desc.Digest]
	if lock == nil {
		lock = &sync.Mutex{}
		s.one[desc.Digest] = lock
	}
	s.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()
	if s.has(desc.Digest) {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	r, err := open(ctx)
	if err != nil {
		return fmt.Errorf("reading blob %s: %w", desc.Digest, err)
	}
	defer r.Close()
	temp, err := os.MkdirTemp(s.dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := saveBlob(ctx, temp, desc.Digest, r); err != nil {
		return fmt.Errorf("reading blob %s: %w", desc.Digest, err)
	}
	return os.Rename(filepath.Join(temp, desc.Digest.Encoded()), s.path(desc.Digest))
}
