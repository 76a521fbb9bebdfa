package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// tiny is the size in bytes of layers that are not worth a patch: its own header has as many.
const tiny = 1 << 10

// encode gives every layer that travels its cheapest form. As many layers are worked on at a time as there are workers: a
// layer takes no more memory than a worker may. Images follow one another, so that the olds of few are expanded at a time.
func (b *builder) encode(ctx context.Context) error {
	p := b.measure("deltas")
	groups := make(map[*released]*imageWork)
	var order []*imageWork
	for _, x := range b.blobs {
		if !x.worked() || b.Plain {
			continue
		}
		if groups[x.img] == nil {
			groups[x.img] = &imageWork{}
			order = append(order, groups[x.img])
		}
		groups[x.img].add(x)
		p.total += x.desc.Size
		p.layers++
	}
	if p.layers == 0 {
		return nil
	}
	if err := os.MkdirAll(b.patches(), 0o700); err != nil {
		return err
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(b.Workers)
	each := max(1, b.Workers/p.layers) // goroutines for one layer
	for _, w := range order {
		for _, x := range w.blobs {
			group.Go(func() error { return b.encodeOne(working, w, x, each, p) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	b.tellForms(p.layers)
	b.tellCache(p.layers)
	return ctx.Err()
}

func (b *builder) patches() string { return filepath.Join(b.work, "patches") }

// imageWork is the layers of one image, or the parts of the operating system.
type imageWork struct {
	blobs []*blob
	left  atomic.Int64
}

func (w *imageWork) add(x *blob) {
	w.blobs = append(w.blobs, x)
	w.left.Add(1)
}

// encodeOne decides on one layer. After the last of its image the olds that the image needed are let go.
func (b *builder) encodeOne(ctx context.Context, w *imageWork, x *blob, workers int, p *progress) error {
	if err := ctx.Err(); err != nil {
		return err // another layer has failed
	}
	part := p.layer(x.desc.Size)
	if !x.decided {
		if err := b.encodeLayer(ctx, x, workers, part); err != nil {
			return fmt.Errorf("%v: %w", x, err)
		}
		b.remember(x)
	}
	part.close()
	if w.left.Add(-1) > 0 {
		return nil
	}
	return b.releaseOlds(w.blobs)
}

func (b *builder) releaseOlds(blobs []*blob) error {
	seen := make(map[digest.Digest]bool)
	var errs []error
	for _, x := range blobs {
		for _, d := range x.olds {
			if !seen[d] && !x.decided {
				seen[d] = true
				errs = append(errs, b.olds.release(d))
			}
		}
	}
	return errors.Join(errs...)
}

// encodeLayer decides on the form of one layer.
func (b *builder) encodeLayer(ctx context.Context, x *blob, workers int, part *layerProgress) error {
	if x.desc.Size < tiny {
		return nil
	}
	file, err := b.bring(ctx, x, part)
	if err != nil {
		return err
	}
	defer file.Close()
	choose := b.chooseOlds
	if x.part != nil {
		choose = b.partOlds
	}
	olds, err := choose(ctx, x, file)
	if err != nil {
		return err
	}
	patch, err := b.diff(ctx, x, file, olds, workers, part.add)
	if err != nil {
		return b.keepFull(ctx, x, err)
	}
	if patch.size >= x.desc.Size {
		return os.Remove(patch.path)
	}
	return b.usePatch(x, patch)
}

// bring gives the file with the blob's original bytes.
func (b *builder) bring(ctx context.Context, x *blob, part *layerProgress) (*os.File, error) {
	if x.part != nil {
		return x.part.open()
	}
	open := x.open
	if x.img.remote {
		open = part.fetching(open)
	}
	return b.staged.open(ctx, x.desc, open)
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

// chooseOlds picks the olds that look most like the layer. Where the likeliest lack much of it, as after an image was squashed or
// put on another base, it looks at the rest too.
func (b *builder) chooseOlds(ctx context.Context, x *blob, file io.ReadSeeker) ([]*old, error) {
	if len(x.olds) == 0 {
		return nil, nil
	}
	near, err := b.expandOlds(ctx, x, x.olds[:x.near])
	if err != nil {
		return nil, err
	}
	target, err := listBlob(ctx, file)
	if err != nil {
		return nil, err
	}
	chosen, lacking := choose(target, near)
	if lacking > enough*target.size() && len(x.olds) > x.near {
		far, err := b.expandOlds(ctx, x, x.olds[x.near:])
		if err != nil {
			return nil, err
		}
		chosen, _ = choose(target, slices.Concat(near, far))
	}
	if len(chosen) == 0 && len(near) > 0 {
		return near[len(near)-1:], nil // the last layer is the one that changes
	}
	return chosen, nil
}

// expandOlds expands those candidates that can be had.
func (b *builder) expandOlds(ctx context.Context, x *blob, list []digest.Digest) ([]*old, error) {
	found, err := b.olds.find.find(ctx, list)
	if err != nil {
		return nil, err
	}
	x.partial = x.partial || len(found) < len(list)
	var olds []*old
	for _, d := range found {
		o, err := b.olds.get(ctx, d)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			b.lost(x, d, err)
			continue
		}
		olds = append(olds, o)
	}
	return olds, nil
}

// lost says once that a layer of a base cannot be read.
func (b *builder) lost(x *blob, d digest.Digest, err error) {
	x.out.Note, x.partial = "a layer of the base could not be read", true
	b.mu.Lock()
	told := b.told[d]
	b.told[d] = true
	b.mu.Unlock()
	var known *outOfReach
	if !told && !errors.As(err, &known) {
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

// tellForms says how the layers and parts that were worked on travel.
func (b *builder) tellForms(layers int) {
	forms, parts := make(map[bundle.Form]int), 0
	for _, x := range b.blobs {
		if x.worked() {
			forms[x.out.Form]++
			if x.part != nil {
				parts++
			}
		}
	}
	var what []string
	if layers > parts {
		what = append(what, count(layers-parts, "layer"))
	}
	if parts > 0 {
		what = append(what, count(parts, "part"))
	}
	b.say("deltas", "%s: %s", strings.Join(what, ", "), describeForms(forms))
}
