package bundle

import (
	"errors"
	"fmt"
	"slices"
	"unicode"

	"github.com/Masterminds/semver/v3"
	"github.com/opencontainers/go-digest"
)

func (v *validator) listBlobs() error {
	payloads := map[digest.Digest]bool{}
	for i := range v.d.Blobs {
		b := &v.d.Blobs[i]
		if v.blobs[b.Digest] != nil {
			return fmt.Errorf("blob %q is listed twice", b.Digest)
		}
		v.blobs[b.Digest] = b
		if err := v.blob(b); err != nil {
			return fmt.Errorf("blob %q: %w", b.Digest, err)
		}
		if b.Payload != nil && payloads[b.Payload.Digest] {
			return fmt.Errorf("blob %s: its payload is another blob's too", b.Digest)
		}
		if b.Payload != nil {
			payloads[b.Payload.Digest] = true
		}
	}
	return nil
}

func (v *validator) blob(b *Blob) error {
	if err := v.size(b.Digest, b.Size, b.limit()); err != nil {
		return err
	}
	if err := validMediaType(b.MediaType); err != nil {
		return err
	}
	if err := text("the note", b.Note, 1024); err != nil {
		return err
	}
	if err := v.form(b); err != nil {
		return err
	}
	if err := fileCosts(b); err != nil {
		return err
	}
	if b.Payload != nil {
		if b.Payload.Scratch < 0 || b.Payload.Scratch > maxPlainSize {
			return fmt.Errorf("scratch space of %d bytes is not between 0 and 2^42", b.Payload.Scratch)
		}
		if err := v.size(b.Payload.Digest, b.Payload.Size, b.limit()); err != nil {
			return fmt.Errorf("payload: %w", err)
		}
	}
	return v.baseBlobs(b)
}

// limit is the largest size that the blob and what it travels by may have.
func (b *Blob) limit() int64 {
	if b.MediaType == MediaTypePart {
		return MaxPartSize
	}
	return MaxBlobSize
}

// form checks what each form brings with it.
func (v *validator) form(b *Blob) error {
	same := b.Payload != nil && *b.Payload == Payload{Digest: b.Digest, Size: b.Size}
	switch b.Form {
	case FormFull:
		if !same || len(b.Bases) > 0 {
			return errors.New("a full blob is its own payload and has no bases")
		}
		return nil
	case FormRecompressed:
		if b.Payload == nil || b.Payload.Digest == b.Digest || len(b.Bases) > 0 {
			return errors.New("a recompressed blob has a payload of its own and no bases")
		}
	case FormDelta:
		if b.Payload == nil || b.Payload.Digest == b.Digest || len(b.Bases) == 0 {
			return errors.New("a delta has a payload of its own and at least one base")
		}
	case FormReuse:
		if b.Payload != nil || len(b.Bases) > 0 {
			return errors.New("a reused blob has neither payload nor bases")
		}
	default:
		return fmt.Errorf("form %q is not known", string(b.Form))
	}
	if v.d.Plain {
		return errors.New("a plain bundle carries every blob in full")
	}
	if b.Form != FormRecompressed && len(v.d.Bases) == 0 {
		return errors.New("it needs a base, and the release names none")
	}
	return nil
}

// fileCosts checks what is told of a patch's files.
func fileCosts(b *Blob) error {
	if len(b.Files) > 0 && b.Form != FormDelta && b.Form != FormRecompressed {
		return errors.New("files cost something in patches only")
	}
	if len(b.Files) > MaxFileCosts {
		return fmt.Errorf("%d files are told of, more than %d", len(b.Files), MaxFileCosts)
	}
	for _, f := range b.Files {
		if err := errors.Join(text("a file's name", f.Name, 4096), text("why a file costs", f.Why, 256)); err != nil {
			return err
		}
		if f.Bytes < 0 || f.Bytes > b.Payload.Size {
			return fmt.Errorf("file %q costs %d of %d bytes", f.Name, f.Bytes, b.Payload.Size)
		}
	}
	return nil
}

func (v *validator) baseBlobs(b *Blob) error {
	seen := map[digest.Digest]bool{b.Digest: true}
	for _, o := range b.Bases {
		if err := v.size(o.Digest, o.Size, b.limit()); err != nil {
			return fmt.Errorf("base: %w", err)
		}
		if seen[o.Digest] {
			return fmt.Errorf("base %s is listed twice or is the blob itself", o.Digest)
		}
		seen[o.Digest] = true
		if o.PlainSize < 0 || o.PlainSize > maxPlainSize {
			return fmt.Errorf("base %s: plain size %d is not between 0 and 2^42", o.Digest, o.PlainSize)
		}
		if b.MediaType == MediaTypePart && o.PlainSize != o.Size {
			return fmt.Errorf("base %s: a part is never expanded, and its plain size is not its size", o.Digest)
		}
	}
	return nil
}

func (v *validator) objects() error {
	m := v.d.Manifests
	if m.Objects > MaxObjects {
		return fmt.Errorf("manifests: %d objects, more than %d", m.Objects, MaxObjects)
	}
	if m.Objects < 0 || (m.Objects == 0) != (m.Size == 0) {
		return fmt.Errorf("manifests: %d objects in %d bytes", m.Objects, m.Size)
	}
	if err := v.size(m.Digest, m.Size, MaxObjectsSize); err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	return nil
}

func (v *validator) sboms() error {
	type key struct {
		image  digest.Digest
		format string
	}
	seen := map[key]bool{}
	for _, s := range v.d.SBOMs {
		k := key{s.Image, s.Format}
		if seen[k] {
			return fmt.Errorf("image %q has two SBOMs in %q", s.Image, s.Format)
		}
		seen[k] = true
		if err := v.sbom(s); err != nil {
			return fmt.Errorf("SBOM of %q in %q: %w", s.Image, s.Format, err)
		}
	}
	return nil
}

func (v *validator) sbom(s SBOM) error {
	if _, ok := v.manifests[s.Image]; !ok && !v.isPart(s.Image) {
		return errors.New("the release has no such image manifest, and no such part of an operating system")
	}
	if sbomMediaTypes[s.Format] == "" {
		return errors.New("the format is neither spdx nor cyclonedx")
	}
	if s.Packages < 0 {
		return fmt.Errorf("%d packages", s.Packages)
	}
	switch s.Form {
	case FormFull:
	case FormReuse:
		if len(v.d.Bases) == 0 || v.d.Plain {
			return errors.New("it is reused, and the release has no base")
		}
	default:
		return fmt.Errorf("form %q is neither full nor reuse", string(s.Form))
	}
	return v.size(s.Digest, s.Size, MaxBlobSize)
}

// isPart tells whether a digest is that of a part of the operating system.
func (v *validator) isPart(d digest.Digest) bool {
	return v.d.OS != nil && slices.ContainsFunc(v.d.OS.Parts, func(p OSPart) bool { return p.Digest == d })
}

func (v *validator) checks() error {
	seen := map[string]bool{}
	for i := range v.d.Checks {
		c := &v.d.Checks[i]
		if err := c.Validate(); err != nil {
			return fmt.Errorf("check %q: %w", c.Name, err)
		}
		if seen[c.Name] {
			return fmt.Errorf("check %q is listed twice", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

func (v *validator) conditions() error {
	switch v.d.CatchUp {
	case "", "immediate", "window", "hold":
	default:
		return fmt.Errorf("catchUp %q is none of immediate, window, hold", v.d.CatchUp)
	}
	r := v.d.Requires
	if r == nil {
		return nil
	}
	if r.Releases != "" && !validRange(r.Releases) {
		return fmt.Errorf("requires.releases %q is not a version range such as >=2.2.0", r.Releases)
	}
	if len(r.Kubernetes) > maxRanges {
		return fmt.Errorf("requires.kubernetes has %d ranges, more than %d", len(r.Kubernetes), maxRanges)
	}
	for _, want := range r.Kubernetes {
		if !validRange(want) {
			return fmt.Errorf("requires.kubernetes %q is not a version range such as >=1.30", want)
		}
	}
	for k, s := range r.Labels {
		if err := validLabel(k, s); err != nil {
			return fmt.Errorf("requires.labels: %w", err)
		}
	}
	return nil
}

// validRange tells whether text is a range of versions.
func validRange(text string) bool {
	_, err := semver.NewConstraint(text[:min(len(text), 257)])
	return err == nil && len(text) <= 256
}

func validLabel(k, s string) error {
	if k == "" || len(k) > 253 || len(s) > 253 {
		return fmt.Errorf("%q: %q is not a label", k, s)
	}
	for _, r := range k + s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return fmt.Errorf("%q: %q is not a label", k, s)
		}
	}
	return nil
}

// whole checks what only the whole can tell: nothing listed for nothing, and the number of blobs in the bundle.
func (v *validator) whole() error {
	for i := range v.d.Blobs {
		if d := v.d.Blobs[i].Digest; !v.used[d] {
			return fmt.Errorf("blob %s belongs to no image and no part of an operating system", d)
		}
	}
	if v.d.Plain && len(v.d.Bases) > 0 {
		return errors.New("a plain bundle has no bases")
	}
	if meta, payload := v.d.Layers(); len(meta)+len(payload) > MaxLayers {
		return fmt.Errorf("%d blobs, more than %d", len(meta)+len(payload), MaxLayers)
	}
	return nil
}
