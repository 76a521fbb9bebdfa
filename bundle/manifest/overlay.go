package manifest

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// OverlaySource is where an overlay is.
type OverlaySource struct {
	// Overlay has its name, what it matches, its owner and when it expires.
	bundle.Overlay
	// Path is a folder with a kustomization or a component. The objects that it changes stand before its own resources; what
	// of these is a source of the release, or the folder of a less specific overlay, is left out.
	Path string
	// Place is where the path was written, for messages.
	Place Place
}

// Overlay is a rendered overlay.
type Overlay struct {
	overlay.Layer
	// Place is its kustomization.
	Place Place
	// Touched are the objects that it adds or changes, as they are with it on a site that takes no others but those that are
	// less specific.
	Touched Rendered
}

// Overlays renders overlays on the objects of a release that came from the sources, and gives them in the order of
// bundle.CompareOverlays. Each sees what the less specific ones have made, apart from what these fight over. Overlays that
// fight are an error. Like Render it must not run twice at the same time.
func (r *Rendered) Overlays(ctx context.Context, overlays []OverlaySource, sources []Source) ([]Overlay, error) {
	if len(overlays) == 0 {
		return nil, nil
	}
	overlays = slices.Clone(overlays)
	slices.SortFunc(overlays, func(a, b OverlaySource) int { return bundle.CompareOverlays(&a.Overlay, &b.Overlay) })
	b := &baseline{ctx: ctx, overlays: overlays}
	for _, s := range sources {
		b.sources = append(b.sources, realPath(s.Path))
	}
	for k := range r.Objects {
		b.objects = append(b.objects, r.Objects[k].Object)
	}
	if err := b.findOdd(); err != nil {
		return nil, err
	}
	for i := range overlays {
		if err := b.add(i); err != nil {
			return nil, err
		}
	}
	if fights := overlay.Fights(b.layers()); len(fights) > 0 {
		f := &fights[0]
		i := slices.IndexFunc(b.done, func(o Overlay) bool { return o.Name == f.B.Name })
		return nil, &Error{Place: b.done[i].Place, Problem: f.Error(), Advice: f.Hint()}
	}
	return b.done, b.fits()
}

// baseline is what overlays are rendered on.
type baseline struct {
	ctx      context.Context //nolint:containedctx // of the one call that it lives in
	objects  []kubeyaml.Object
	sources  []string // real paths
	overlays []OverlaySource
	done     []Overlay
	// base is the objects for overlays that have no less specific ones.
	base *view
	// odd tells that kustomize changes the objects even if it has nothing to do with them.
	odd bool
}

func (b *baseline) layers() []overlay.Layer {
	layers := make([]overlay.Layer, len(b.done))
	for i := range b.done {
		layers[i] = b.done[i].Layer
	}
	return layers
}

// findOdd finds out whether kustomize leaves the objects as they are.
func (b *baseline) findOdd() error {
	var err error
	if b.base, err = newView(b.objects); err != nil {
		return err
	}
	same, err := b.base.passThrough()
	b.odd = len(overlay.Diff(b.base.objects, same)) > 0
	return err
}

// add renders the overlay number i.
func (b *baseline) add(i int) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	s := &b.overlays[i]
	before, err := b.view(i)
	if err != nil {
		return err
	}
	f, err := b.folder(i)
	if err != nil {
		return err
	}
	after, err := f.build(before)
	if err != nil {
		return err
	}
	base := before.objects
	if b.odd {
		if base, err = before.passThrough(); err != nil {
			return err
		}
	}
	o := Overlay{Layer: overlay.Layer{Overlay: s.Overlay}, Place: f.place}
	flat := make([]kubeyaml.Object, len(after))
	for k := range after {
		flat[k] = after[k].Object
	}
	o.Changes = overlay.Diff(base, flat)
	edited := map[overlay.Key]bool{}
	for k := range o.Changes {
		edited[o.Changes[k].Object] = true
	}
	for k := range after {
		if edited[overlay.KeyOf(&after[k].Object)] {
			o.Touched.Objects = append(o.Touched.Objects, after[k])
		}
	}
	if err := (&Rendered{Objects: after}).checkUnique(); err != nil {
		return err
	}
	if err := o.Touched.checkTexts(); err != nil {
		return err
	}
	b.done = append(b.done, o)
	return nil
}

// view is the objects that an overlay is rendered on: with the less specific ones, apart from what they fight over. So an overlay
// that settles a fight does so by what it says itself.
func (b *baseline) view(i int) (*view, error) {
	var under []overlay.Layer
	for k := range b.done {
		if b.overlays[i].Refines(&b.done[k].Overlay) {
			under = append(under, b.done[k].Layer)
		}
	}
	if len(under) == 0 {
		return b.base, nil
	}
	for range under { // what is left out may uncover nothing new, but one fight may have many sides
		fights := overlay.Fights(under)
		if len(fights) == 0 {
			break
		}
		for k := range under {
			under[k].Changes = slices.DeleteFunc(slices.Clone(under[k].Changes), func(e overlay.Edit) bool {
				return slices.ContainsFunc(fights, func(f overlay.Fight) bool { return f.Has(under[k].Name, &e) })
			})
		}
	}
	c, err := overlay.Combine(under)
	if err != nil {
		return nil, err
	}
	objects, err := c.Objects(b.objects)
	if err != nil {
		return nil, err
	}
	return newView(objects)
}

// fits refuses overlays with which a site could have more objects, or larger ones, than a release may have.
func (b *baseline) fits() error {
	n := len(b.objects)
	for i := range b.done {
		for k := range b.done[i].Changes {
			if b.done[i].Changes[k].Op == overlay.Add {
				n++
			}
		}
	}
	if n > bundle.MaxObjects {
		return &Error{Place: b.done[0].Place, Problem: fmt.Sprintf("with all overlays there are more than %d objects", bundle.MaxObjects)}
	}
	return nil
}

// Pin puts digests beside the tags of the images in what the overlay adds or sets; uses are those of Touched.
func (o *Overlay) Pin(uses []ImageUse, digests map[string]digest.Digest) error {
	if err := o.Touched.Pin(uses, digests); err != nil {
		return err
	}
	fields := map[overlay.Key]map[string]any{}
	for k := range o.Touched.Objects {
		x := &o.Touched.Objects[k].Object
		fields[overlay.KeyOf(x)] = x.Fields
	}
	for k := range o.Changes {
		if e := &o.Changes[k]; e.Op == overlay.Add || e.Op == overlay.Set {
			e.Value.V = e.At(fields[e.Object])
		}
	}
	return nil
}

// Document gives the overlay's edits as the release carries them.
func (o *Overlay) Document() ([]byte, error) {
	b, err := overlay.Marshal(o.Changes)
	if err != nil {
		return nil, &Error{Place: o.Place, Problem: fmt.Sprintf("overlay %s cannot be packed", o.Name), Err: err}
	}
	return b, nil
}

func (r *Rendered) checkTexts() error {
	for k := range r.Objects {
		if err := r.Objects[k].checkTexts(); err != nil {
			return err
		}
	}
	return nil
}
