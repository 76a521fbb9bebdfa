package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

const (
	// tiny is the size in bytes of layers that are not worth a patch: its own header has as many.
	tiny = 1 << 10
	// large is the compressed size from which a layer is worked on alone, to bound the memory in use.
	large = 32 << 20
)

// encode gives every layer that travels its cheapest form.
func (b *builder) encode(ctx context.Context) error {
	p := &progress{b: b}
	groups := make(map[*released][]*blob)
	for _, x := range b.blobs {
		if x.layer && x.out.Form != bundle.FormReuse && !b.Plain {
			groups[x.img] = append(groups[x.img], x)
			p.total += x.desc.Size
			p.layers++
		}
	}
	if p.layers == 0 {
		return nil
	}
	if err := os.MkdirAll(b.patches(), 0o700); err != nil {
		return err
	}
	for _, img := range b.release.images {
		if err := errors.Join(b.encodeGroup(ctx, groups[img], p), b.releaseOlds(groups[img])); err != nil {
			return err
		}
	}
	p.close()
	return nil
}

func (b *builder) patches() string { return filepath.Join(b.work, "patches") }

// encodeGroup works on the layers of one image, small ones in parallel.
func (b *builder) encodeGroup(ctx context.Context, blobs []*blob, p *progress) error {
	free := semaphore.NewWeighted(int64(b.Workers))
	group, working := errgroup.WithContext(ctx)
	for _, x := range blobs {
		weight := int64(1)
		if x.desc.Size >= large {
			weight = int64(b.Workers)
		}
		if err := free.Acquire(working, weight); err != nil {
			break // a layer has failed, or ctx has ended
		}
		group.Go(func() error {
			defer free.Release(weight)
			if err := b.encodeLayer(working, x, int(weight)); err != nil {
				return fmt.Errorf("layer %s of %s: %w", short(x.desc.Digest), x.img.name, err)
			}
			p.done(x.desc.Size)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (b *builder) releaseOlds(blobs []*blob) error {
	seen := make(map[digest.Digest]bool)
	var errs []error
	for _, x := range blobs {
		for _, d := range x.olds {
			if !seen[d] {
				seen[d] = true
				errs = append(errs, b.olds.release(d))
			}
		}
	}
	return errors.Join(errs...)
}

// encodeLayer decides on the form of one layer.
func (b *builder) encodeLayer(ctx context.Context, x *blob, workers int) error {
	if x.desc.Size < tiny {
		return nil
	}
	file, err := b.staged.open(ctx, x.desc, x.open)
	if err != nil {
		return err
	}
	defer file.Close()
	olds, err := b.chooseOlds(ctx, x, file)
	if err != nil {
		return err
	}
	patch, err := b.diff(ctx, x, file, olds, workers)
	if err != nil {
		return b.keepFull(ctx, x, err)
	}
	if patch.size >= x.desc.Size {
		return os.Remove(patch.path)
	}
	return b.usePatch(ctx, x, patch)
}

// keepFull lets a layer travel as it is if the error means that no patch can make it.
func (b *builder) keepFull(ctx context.Context, x *blob, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, delta.ErrNoRecipe) {
		x.out.Note = "no recipe for its compression"
		return nil
	}
	switch reasonOf(err, "") {
	case "format", "truncated":
		x.out.Note = "it does not expand"
		return nil
	}
	return err
}

// chooseOlds expands the candidates and picks those that look most like the layer.
func (b *builder) chooseOlds(ctx context.Context, x *blob, file io.ReadSeeker) ([]*old, error) {
	var candidates []*old
	for _, d := range x.olds {
		o, err := b.olds.get(ctx, d)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			b.lost(x, d, err)
			continue
		}
		candidates = append(candidates, o)
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	target, err := listBlob(ctx, file)
	if err != nil {
		return nil, err
	}
	if chosen := choose(target, candidates); len(chosen) > 0 {
		return chosen, nil
	}
	return candidates[len(candidates)-1:], nil // the last layer is the one that changes
}

// lost says once that a layer of a base cannot be read.
func (b *builder) lost(x *blob, d digest.Digest, err error) {
	x.out.Note = "a layer of the base could not be read"
	b.mu.Lock()
	told := b.told[d]
	b.told[d] = true
	b.mu.Unlock()
	if !told {
		b.say("note", "layer %s of the base cannot be read, deltas will be larger: %v", short(d), err)
	}
}

// listBlob lists a compressed layer's files.
func listBlob(ctx context.Context, file io.ReadSeeker) (listing, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return listing{}, err
	}
	r, w := io.Pipe()
	go func() {
		_, err := delta.Expand(ctx, w, file, maxExpanded)
		w.CloseWithError(err)
	}()
	defer r.Close()
	l, err := listTar(ctx, r)
	// Reading stops where the tar does; the pipe's other end must be done before the file is used again.
	_, _ = io.Copy(io.Discard, r) // what does not expand, Diff reports
	return l, errors.Join(err, ctx.Err())
}

// progress adds up what is done of a phase.
type progress struct {
	b      *builder
	total  int64 // bytes
	layers int
	mu     sync.Mutex
	bytes  int64
	count  int
}

func (p *progress) done(size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes, p.count = p.bytes+size, p.count+1
	p.b.observe(Event{Label: "deltas", Text: fmt.Sprintf("%d/%d layers", p.count, p.layers), Done: p.bytes, Total: p.total})
}

// close tells the result.
func (p *progress) close() {
	forms := make(map[bundle.Form]int)
	for _, x := range p.b.blobs {
		if x.layer && x.out.Form != bundle.FormReuse {
			forms[x.out.Form]++
		}
	}
	p.b.say("deltas", "%s: %s", count(p.layers, "layer"), describeForms(forms))
}
