package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
)

// resolving is how many images are looked up at a time.
const resolving = 8

// gathered is what a release is made of.
type gathered struct {
	rendered *manifest.Rendered
	uses     []manifest.ImageUse
	// overlays change the objects for some sites; overlayUses are the images of each.
	overlays    []manifest.Overlay
	overlayUses [][]manifest.ImageUse
	// mentions are texts in the objects, as they were written, that look like images.
	mentions []manifest.ImageUse
	images   []*released // by name
	parts    []*part     // of the operating system, by name
}

// released is an image of the release.
type released struct {
	// name is how the manifests know it.
	name bundle.Reference
	*image.Image
	remote bool // its bytes come from a registry
	// pinned is the digest by which the objects name it; empty if they name its tag.
	pinned digest.Digest
}

// wanted is an image that the release needs, and where that is said first.
type wanted struct {
	ImageSpec
	used bool // a manifest names it
}

// gather renders the manifests, finds their images and resolves them.
func (b *builder) gather(ctx context.Context) error {
	g := &gathered{}
	b.release = g
	rendered, err := b.render(ctx)
	if err != nil {
		return err
	}
	g.rendered, g.overlays = rendered.Objects, rendered.Overlays
	if err := g.rendered.CheckCustom(len(g.overlays) > 0); err != nil {
		return err
	}
	b.charted()
	if err := g.find(b.spec.ImageFields); err != nil {
		return err
	}
	needs := merge(b.spec.Images, g.allUses())
	if err := b.resolve(ctx, needs); err != nil {
		return err
	}
	if err := b.checkNames(); err != nil {
		return err
	}
	if err := b.checkKeys(ctx, needs); err != nil {
		return err
	}
	if err := b.pin(needs); err != nil {
		return err
	}
	if b.objects, err = g.rendered.Marshal(); err != nil {
		return err
	}
	if err := b.packOverlays(); err != nil {
		return err
	}
	return b.gatherOS(ctx)
}

// merge makes one list, by name, of the images that the spec and the manifests name.
func merge(specs []ImageSpec, uses []manifest.ImageUse) []*wanted {
	needs := make(map[string]*wanted)
	for _, s := range specs {
		needs[s.Name.String()] = &wanted{ImageSpec: s}
	}
	for _, u := range uses {
		name := u.Name.String()
		if needs[name] == nil {
			needs[name] = &wanted{ImageSpec: ImageSpec{Name: u.Name, Place: u.Place}}
		}
		needs[name].used = true
	}
	return slices.SortedFunc(maps.Values(needs), func(a, b *wanted) int {
		return strings.Compare(a.Name.String(), b.Name.String())
	})
}

// resolve finds every image; of several that fail it names the first. A registry that does not answer ends the search:
// waiting for it as often as there are images would take many times as long.
func (b *builder) resolve(ctx context.Context, needs []*wanted) error {
	images := make([]*released, len(needs))
	failed := make([]error, len(needs))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.SetLimit(resolving)
	for i, w := range needs {
		group.Go(func() error {
			if ctx.Err() != nil {
				failed[i] = ctx.Err()
				return nil
			}
			img, err := b.images.Resolve(ctx, w.Name.String(), w.Source)
			if err != nil {
				failed[i] = unresolved(ctx, w, err)
				var trouble *image.NetworkError
				if errors.As(err, &trouble) {
					stop()
				}
				return nil
			}
			images[i] = &released{name: w.Name, Image: img, remote: !localSource(w.Source)}
			return nil
		})
	}
	_ = group.Wait() // the errors are in failed, in the images' order
	for _, img := range images {
		if img != nil {
			b.release.images = append(b.release.images, img)
		}
	}
	return firstFault(failed)
}

// firstFault gives the first error; those of work that was stopped because of another come last.
func firstFault(failed []error) error {
	var stopped error
	for _, err := range failed {
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled):
			stopped = err
		default:
			return err
		}
	}
	return stopped
}

// unresolved says where the image stands that could not be had.
func unresolved(ctx context.Context, w *wanted, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	hint := "check the name, and that its registry answers; or name a source for it under spec.images"
	return at(reasonOf(err, "image"), w.Place, hintOf(err, hint), err)
}

// localSource tells whether an image's bytes are on this machine already.
func localSource(source string) bool {
	for _, prefix := range []string{"oci:", "oci-archive:", "docker-archive:"} {
		if strings.HasPrefix(source, prefix) {
			return true
		}
	}
	return false
}

// checkNames refuses images of which a mirror could serve one only, by the site's own rule.
func (b *builder) checkNames() error {
	var images []bundle.Image
	for _, img := range b.release.images {
		images = append(images, bundle.Image{Name: img.name.String(), Digest: img.Root.Desc.Digest})
	}
	return bundle.CheckNames(images)
}

// pin puts digests beside the tags in the rendered objects: what was checked at the factory is what a site runs, whatever
// becomes of a tag, and an image that was built again under its old tag changes the objects that name it.
func (b *builder) pin(needs []*wanted) error {
	digests := make(map[string]digest.Digest)
	for i, w := range needs {
		if !b.spec.Pin || !w.used || w.Name.Digest != "" {
			continue
		}
		img := b.release.images[i]
		described := b.describeImage(img, make(map[digest.Digest]string))
		served, err := described.Served(img.rawIndex)
		if err != nil {
			b.say("note", "%s cannot be pinned: %v", w.Name, err)
			continue
		}
		img.pinned = served.Digest
		digests[w.Name.String()] = served.Digest
		b.say("pinned", "%s -> %s", w.Name, short(served.Digest))
	}
	return b.release.pin(digests)
}

// rawIndex gives the bytes of the image's index, or of one inside it.
func (r *released) rawIndex(d digest.Digest) ([]byte, error) {
	for _, x := range r.Indexes {
		if x.Desc.Digest == d {
			return x.Raw, nil
		}
	}
	return r.Root.Raw, nil
}

// unrolled says which images are others than in a base without any object that changes with them: what runs there goes on.
func (b *builder) unrolled() {
	for _, img := range b.release.images {
		if img.name.Tag == "" || img.pinned != "" {
			continue
		}
		for _, k := range b.bases.list {
			for _, old := range k.desc.Images {
				if old.Name == img.name.String() && old.Digest != img.Root.Desc.Digest {
					b.say("note", "%s is another image than in %s, and no object names it by digest: what runs of it goes on until it is started again",
						img.name, k.desc.Version)
				}
			}
		}
	}
}

func (g *gathered) close() error {
	var errs []error
	for _, img := range g.images {
		errs = append(errs, img.Close())
	}
	return errors.Join(errs...)
}

// short cuts a digest for people.
func short(d digest.Digest) string {
	hex := d.Encoded()
	return fmt.Sprintf("%s:%s…", d.Algorithm(), hex[:min(12, len(hex))])
}
