package inspect

import (
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// imagePair is an image before and after; one of the two may be nil.
type imagePair struct{ from, to *bundle.Image }

// pair matches images: first by name, then by repository, in the order in which they are listed.
func pair(from, to *bundle.Descriptor) []imagePair {
	pairs := make([]imagePair, 0, len(to.Images))
	taken := map[*bundle.Image]bool{}
	match := func(im *bundle.Image, same func(a, b string) bool) *bundle.Image {
		for i := range from.Images {
			if o := &from.Images[i]; !taken[o] && same(o.Name, im.Name) {
				taken[o] = true
				return o
			}
		}
		return nil
	}
	for i := range to.Images {
		im := &to.Images[i]
		pairs = append(pairs, imagePair{match(im, func(a, b string) bool { return a == b }), im})
	}
	for i := range pairs {
		if pairs[i].from == nil {
			pairs[i].from = match(pairs[i].to, func(a, b string) bool { return repository(a) == repository(b) })
		}
	}
	for i := range from.Images {
		if im := &from.Images[i]; !taken[im] {
			pairs = append(pairs, imagePair{im, nil})
		}
	}
	return pairs
}

// repository is an image's name without tag and digest.
func repository(name string) string {
	r, err := bundle.ParseReference(name)
	if err != nil {
		return name
	}
	return r.Host + "/" + r.Repository
}

func compareImages(pairs []imagePair) ImagesDiff {
	d := ImagesDiff{Added: []ImageRef{}, Removed: []ImageRef{}, Changed: []ImageChange{}, Unchanged: []ImageRef{}}
	for _, p := range pairs {
		switch {
		case p.from == nil:
			d.Added = append(d.Added, ref(p.to))
		case p.to == nil:
			d.Removed = append(d.Removed, ref(p.from))
		case ref(p.from) == ref(p.to):
			d.Unchanged = append(d.Unchanged, ref(p.to))
		default:
			d.Changed = append(d.Changed, change(p))
		}
	}
	return d
}

func ref(im *bundle.Image) ImageRef { return ImageRef{Name: im.Name, Digest: im.Digest} }

func change(p imagePair) ImageChange {
	c := ImageChange{Repository: repository(p.to.Name), Old: ref(p.from), New: ref(p.to)}
	old := layers(p.from)
	for d := range layers(p.to) {
		c.Layers++
		if !old[d] {
			c.NewLayers++
		}
	}
	return c
}

func layers(im *bundle.Image) map[digest.Digest]bool {
	set := map[digest.Digest]bool{}
	for _, m := range im.Manifests {
		for _, d := range m.Layers {
			set[d] = true
		}
	}
	return set
}
