package build

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// ImageLine tells what an image costs in the bundle.
type ImageLine struct {
	Name    string
	Layers  int   // of all its platforms
	Changed int   // of these, layers that some base has not
	Sent    int64 // bytes of the bundle that carry them; what images share counts for the first
	// Forms counts the changed layers by the form in which they travel.
	Forms map[bundle.Form]int
	// Notes say why layers that could have travelled smaller did not.
	Notes []string
}

// announce says what is going to be built.
func (b *builder) announce(context.Context) error {
	sequence, err := b.sequence()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s %s (sequence %d)", b.spec.Name, b.spec.Version, sequence)
	for _, k := range b.bases.list {
		text += fmt.Sprintf(", base %s (sequence %d)", k.desc.Version, k.desc.Sequence)
	}
	var names []string
	for _, p := range b.Platforms {
		names = append(names, bundle.FormatPlatform(p))
	}
	b.say("release", "%s, %s", text, strings.Join(names, " "))
	text = fmt.Sprintf("%s in %s", count(len(b.release.images), "image"), count(len(b.release.rendered.Objects), "manifest"))
	if n := len(b.release.overlays); n > 0 {
		b.say("overlays", "%s for some of the sites", count(n, "overlay"))
	}
	if len(b.bases.list) > 0 {
		changed := b.changedImages()
		text += fmt.Sprintf(": %d changed, %d unchanged", changed, len(b.release.images)-changed)
	}
	b.say("images", "%s", text)
	b.unrolled()
	b.mentioned()
	for _, img := range b.release.images {
		for _, n := range img.Notes {
			b.say("note", "%s: %s", img.name, n)
		}
	}
	return nil
}

// changedImages counts the images that some base has not.
func (b *builder) changedImages() int {
	held := make(map[digest.Digest]int)
	for _, k := range b.bases.list {
		seen := make(map[digest.Digest]bool)
		for _, img := range k.desc.Images {
			if !seen[img.Digest] {
				seen[img.Digest] = true
				held[img.Digest]++
			}
		}
	}
	n := 0
	for _, img := range b.release.images {
		if held[img.Root.Desc.Digest] < len(b.bases.list) {
			n++
		}
	}
	return n
}

// summary collects what the closing table shows.
func (b *builder) summary(d *bundle.Descriptor) *Result {
	res := &Result{Descriptor: d, Warnings: b.warned, NotPacked: b.notPacked}
	blobs := make(map[digest.Digest]*blob)
	for _, x := range b.blobs {
		blobs[x.desc.Digest] = x
		if (x.layer || x.part != nil) && x.out.Payload != nil {
			res.Payload += x.out.Payload.Size
			res.Delivers += x.out.Size
		}
	}
	counted := make(map[digest.Digest]bool)
	for _, img := range b.release.images {
		line := ImageLine{Name: img.name.String(), Forms: make(map[bundle.Form]int)}
		for _, m := range img.Manifests {
			for _, l := range m.Layers {
				line.add(blobs[l.Digest], !counted[l.Digest])
				counted[l.Digest] = true
			}
		}
		res.Images = append(res.Images, line)
	}
	res.Packages = packagesOf(d.SBOMs)
	for _, k := range b.Signers {
		res.Signers = append(res.Signers, Signer{KeyID: k.KeyID(), Name: k.Name()})
	}
	return res
}

func (l *ImageLine) add(x *blob, first bool) {
	l.Layers++
	if x.out.Form == bundle.FormReuse {
		return
	}
	l.Changed++
	l.Forms[x.out.Form]++
	if first && x.out.Payload != nil {
		l.Sent += x.out.Payload.Size
	}
	if x.out.Note != "" && !slices.Contains(l.Notes, x.out.Note) {
		l.Notes = append(l.Notes, x.out.Note)
	}
}

// describeForms counts layers by their forms, for people.
func describeForms(forms map[bundle.Form]int) string {
	var list []string
	for _, f := range []bundle.Form{bundle.FormDelta, bundle.FormRecompressed, bundle.FormFull} {
		if forms[f] > 0 {
			list = append(list, fmt.Sprintf("%d %s", forms[f], f))
		}
	}
	return strings.Join(list, ", ")
}

// count writes a number with its noun: 1 image, 1,204 packages.
func count(n int, noun string) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		noun += "s"
	}
	return digits + " " + noun
}
