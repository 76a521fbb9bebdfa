package build

import (
	"context"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

// Rendered is what a release deploys, before its images are looked up.
type Rendered struct {
	Objects  *manifest.Rendered
	Overlays []manifest.Overlay
}

// Render renders the manifests of a spec and its overlays; images is how charts in registries are reached. It must not run twice at
// the same time.
func Render(ctx context.Context, s *Spec, images image.Config) (*Rendered, error) {
	images.Dir, images.Platforms = s.Dir, s.Platforms
	b := &builder{spec: s, images: image.NewResolver(images)}
	return b.render(ctx)
}

func (b *builder) render(ctx context.Context) (*Rendered, error) {
	sources, err := b.fetchCharts(ctx)
	if err != nil {
		return nil, err
	}
	objects, err := manifest.Render(ctx, sources)
	if err != nil {
		return nil, err
	}
	overlays, err := objects.Overlays(ctx, b.spec.Overlays, sources)
	return &Rendered{objects, overlays}, err
}

// find finds the images in the objects, and in those that overlays add or change.
func (g *gathered) find(fields []manifest.ImageField) error {
	var err error
	if g.uses, err = g.rendered.Images(fields); err != nil {
		return err
	}
	g.mentions = g.rendered.Mentions()
	for i := range g.overlays {
		touched := &g.overlays[i].Touched
		uses, err := touched.Images(fields)
		if err != nil {
			return err
		}
		g.overlayUses = append(g.overlayUses, uses)
		for _, m := range touched.Mentions() {
			if !slices.ContainsFunc(g.mentions, func(o manifest.ImageUse) bool { return o.Reference == m.Reference }) {
				g.mentions = append(g.mentions, m)
			}
		}
	}
	return nil
}

// allUses are the images of all objects and overlays.
func (g *gathered) allUses() []manifest.ImageUse {
	return slices.Concat(append([][]manifest.ImageUse{g.uses}, g.overlayUses...)...)
}

// pin puts digests beside the tags of all images.
func (g *gathered) pin(digests map[string]digest.Digest) error {
	if err := g.rendered.Pin(g.uses, digests); err != nil {
		return err
	}
	for i := range g.overlays {
		if err := g.overlays[i].Pin(g.overlayUses[i], digests); err != nil {
			return err
		}
	}
	return nil
}

// packOverlays makes the documents of the overlays and describes them.
func (b *builder) packOverlays() error {
	total := len(b.objects)
	for i := range b.release.overlays {
		o := &b.release.overlays[i]
		doc, err := o.Document()
		if err != nil {
			return err
		}
		described := o.Overlay
		described.Digest, described.Size, described.Edits = digest.FromBytes(doc), int64(len(doc)), len(o.Changes)
		b.overlays = append(b.overlays, described)
		b.overlayDocs = append(b.overlayDocs, doc)
		if total += len(doc); total > bundle.MaxObjectsSize {
			return &Error{reason: "manifest", text: "the manifests and their overlays have more bytes than a release may have",
				hint: "let overlays change what differs, and no more"}
		}
	}
	b.checkOverlays()
	return nil
}

// checkOverlays warns of overlays that nobody may want any more. They are part of the release all the same.
func (b *builder) checkOverlays() {
	for _, o := range b.release.overlays {
		owner := ""
		if o.Owner != "" {
			owner = ": ask " + o.Owner
		}
		switch {
		case len(o.Changes) == 0:
			b.warn("overlay %s (%s) changes nothing%s", o.Name, overlay.Labels(o.Match), owner)
		case o.Expires == nil:
		case !o.Expires.After(b.started):
			b.warn("overlay %s (%s) expired %s%s", o.Name, overlay.Labels(o.Match), o.Expires.Format(time.RFC3339), owner)
		case o.Expires.Before(b.started.Add(soon)):
			b.warn("overlay %s (%s) expires %s, %s from now%s", o.Name, overlay.Labels(o.Match), o.Expires.Format(time.RFC3339),
				lasting(o.Expires.Sub(b.started)), owner)
		}
	}
}
