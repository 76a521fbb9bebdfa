package build

import "github.com/sallyport-dev/sallyport/bundle"

// maxMentioned bounds the notes about images that are not packed.
const maxMentioned = 20

// NotPacked is an image that the objects seem to name and the release does not carry.
type NotPacked struct {
	Name   string `json:"name"`   // as it is written, with its parts put together
	Object string `json:"object"` // Widget shop/pick-engine
	Field  string `json:"field"`  // spec.args[0]
	Place  string `json:"place"`  // FILE:LINE
}

// mentioned says which texts in the objects look like images that the release does not carry.
func (b *builder) mentioned() {
	packed := b.release.packed()
	b.notPacked = []NotPacked{}
	for _, m := range b.release.mentions {
		if packed[m.Name] {
			continue
		}
		b.notPacked = append(b.notPacked, NotPacked{m.Reference, m.Object, m.Field, m.Place.String()})
		if len(b.notPacked) <= maxMentioned {
			b.say("note", "%s is not packed: %s has it in %s (%s); if the site needs it, name it under spec.images", m.Reference, m.Object, m.Field, m.Place)
		}
	}
	if n := len(b.notPacked) - maxMentioned; n > 0 {
		b.say("note", "%d more images are named and not packed", n)
	}
}

// packed has all names by which the release's images can be named: as the manifests do, and by each digest that they have.
func (g *gathered) packed() map[bundle.Reference]bool {
	names := make(map[bundle.Reference]bool)
	for _, img := range g.images {
		names[img.name] = true
		names[img.name.WithDigest(img.Root.Desc.Digest)] = true
		for _, m := range img.Manifests {
			names[img.name.WithDigest(m.Desc.Digest)] = true
		}
		for _, x := range img.Indexes {
			names[img.name.WithDigest(x.Desc.Digest)] = true
		}
	}
	return names
}
