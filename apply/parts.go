package apply

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/part"
	"github.com/sallyport-dev/sallyport/bundle"
)

// partsPlan says, before the first byte of payload, how the parts of a release come to the places of a boot slot.
type partsPlan struct {
	descriptor *bundle.Descriptor
	boot       slot.Name
	target     *part.Target
	names      map[digest.Digest][]string // of the parts, by their blob
	// from are the places of the slot that runs, or copies, at which the blobs were read that do not travel whole.
	from map[digest.Digest]string
	// copying are the blobs of which a copy is to be kept and is not yet.
	copying map[digest.Digest]bool
}

// places are where the parts of a boot slot go.
func (s *SlotsConfig) places(n slot.Name) part.Places {
	if n == slot.A {
		return s.A.Parts
	}
	return s.B.Parts
}

// partsFit finds out, without changing anything, whether the operating system of d can be written to a boot slot, and whether what
// its patches address is what the other slot holds.
func (r *run) partsFit(ctx context.Context, d *bundle.Descriptor, boot slot.Name) error {
	p := &partsPlan{descriptor: d, boot: boot, names: map[digest.Digest][]string{}, from: map[digest.Digest]string{},
		copying: map[digest.Digest]bool{}}
	sizes := map[string]int64{}
	for _, o := range d.OS.Parts {
		sizes[o.Name] = o.Size
		p.names[o.Digest] = append(p.names[o.Digest], o.Name)
	}
	var err error
	slots := &r.cfg.Spec.Slots
	if p.target, err = part.Fit(r.deps.Host, slots.places(boot), slots.places(boot.Other()), sizes); err != nil {
		return err
	}
	for _, b := range d.Blobs {
		if b.MediaType != bundle.MediaTypePart {
			continue
		}
		p.copying[b.Digest] = slots.KeepImages && !r.hasCopy(b.Digest, b.Size)
		if err := r.findPartBases(ctx, p, b); err != nil {
			return err
		}
	}
	r.parts = p
	return nil
}

// findPartBases looks for what a part's blob addresses among what the slot that runs holds.
func (r *run) findPartBases(ctx context.Context, p *partsPlan, b bundle.Blob) error {
	bases := b.Bases
	if b.Form == bundle.FormReuse {
		bases = []bundle.BaseBlob{{Digest: b.Digest, Size: b.Size}}
	}
	for _, base := range bases {
		if p.from[base.Digest] != "" {
			continue
		}
		from, err := r.findPart(ctx, p, p.names[b.Digest][0], base)
		if err != nil {
			return err
		}
		p.from[base.Digest] = from
	}
	return nil
}

// partsHold reads a boot slot and tells whether its parts are those of an operating system.
func (r *run) partsHold(ctx context.Context, want *bundle.OS, boot slot.Name) (bool, error) {
	places := r.cfg.Spec.Slots.places(boot)
	for _, p := range want.Parts {
		if places[p.Name] == "" {
			return false, nil
		}
		if is, err := r.placeIs(ctx, places[p.Name], p.Digest, p.Size); !is || err != nil {
			return false, err
		}
	}
	return true, nil
}

// partsNeed is what writing the parts takes in the state folder, in bytes.
func (r *run) partsNeed() (n int64) {
	if r.parts == nil {
		return 0
	}
	var scratch int64
	for _, b := range r.parts.descriptor.Blobs {
		if b.MediaType == bundle.MediaTypePart && b.Payload != nil {
			scratch = max(scratch, b.Payload.Scratch) // one after another
		}
		if r.parts.copying[b.Digest] {
			n += b.Size
		}
	}
	return n + scratch
}
