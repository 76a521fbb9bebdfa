package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Raw gives the original bytes of a manifest, index or attached artifact's manifest of a release.
type Raw func(digest.Digest) ([]byte, error)

// PushImage stores an image's manifests by digest, and what is attached to them, after its blobs. No tag that a
// runtime asks for moves: see TagImage. It returns how many manifests it pushed.
//
// An index names the manifests of every platform; a release carries the site's. Registries that refuse an index of
// which they lack parts get what bundle.Image.Served says in its place. If the image's name is pinned to the index by its
// author that is of no use, and the error is ErrSparseIndex.
func (c *Client) PushImage(ctx context.Context, img bundle.Image, raw Raw) (pushed int, err error) {
	name, err := Repository(img.Name)
	if err != nil {
		return 0, err
	}
	p := imagePusher{c: c, repo: name.Repository, raw: raw}
	for _, m := range img.Manifests {
		if err := p.push(ctx, m.Digest.String(), m.Digest, m.MediaType); err != nil {
			return p.pushed, err
		}
	}
	// Before the index, which may name some of them: registries refuse an index of which they lack a part.
	if err := p.attach(ctx, img.Attached); err != nil {
		return p.pushed, err
	}
	if !bundle.IsIndex(img.MediaType) {
		return p.pushed, nil
	}
	return p.pushed, p.pushRoot(ctx, img, name.Tag != "")
}

// pushRoot pushes an index as it is, with those inside it, and what the objects name in its place.
func (p *imagePusher) pushRoot(ctx context.Context, img bundle.Image, tagged bool) error {
	for _, x := range img.Indexes {
		if err := p.push(ctx, x.Digest.String(), x.Digest, x.MediaType); err != nil && (!errors.Is(err, ErrSparseIndex) || !tagged) {
			return err
		}
	}
	sparse := p.push(ctx, img.Digest.String(), img.Digest, img.MediaType)
	if sparse != nil && (!errors.Is(sparse, ErrSparseIndex) || !tagged) {
		return sparse
	}
	if sparse == nil && (img.Pinned == "" || img.Pinned == img.Digest) {
		return nil
	}
	served, err := p.served(img)
	if err != nil || served.Cut == nil {
		return err
	}
	return p.pushBytes(ctx, served.Digest.String(), served.MediaType, served.Cut)
}

// TagImage makes the mirror answer for the image's name, after PushImage. Names pinned by their author need nothing.
// It returns false if the tag was right already.
func (c *Client) TagImage(ctx context.Context, img bundle.Image, raw Raw) (pushed bool, err error) {
	name, err := Repository(img.Name)
	if err != nil || name.Tag == "" {
		return false, err
	}
	p := imagePusher{c: c, repo: name.Repository, raw: raw}
	err = p.push(ctx, name.Tag, img.Digest, img.MediaType)
	if errors.Is(err, ErrSparseIndex) {
		err = p.tagServed(ctx, name.Tag, img)
	}
	return p.pushed > 0, err
}

type imagePusher struct {
	c      *Client
	repo   string
	raw    Raw
	pushed int
}

func (p *imagePusher) push(ctx context.Context, ref string, dgst digest.Digest, mediaType string) error {
	b, err := p.bytes(dgst)
	if err != nil {
		return err
	}
	return p.pushBytes(ctx, ref, mediaType, b)
}

func (p *imagePusher) pushBytes(ctx context.Context, ref, mediaType string, b []byte) error {
	ok, err := p.c.PushManifest(ctx, p.repo, ref, mediaType, b)
	if ok {
		p.pushed++
	}
	return explainSparse(err, mediaType)
}

func (p *imagePusher) bytes(dgst digest.Digest) ([]byte, error) {
	b, err := p.raw(dgst)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", dgst, err)
	}
	if got := digest.FromBytes(b); got != dgst {
		return nil, fmt.Errorf("manifest %s: its bytes have digest %s", dgst, got)
	}
	return b, nil
}

// explainSparse recognises the refusal of an index because of manifests that the registry lacks.
func explainSparse(err error, mediaType string) error {
	var status *StatusError
	if !bundle.IsIndex(mediaType) || !errors.As(err, &status) || status.Code/100 != 4 {
		return err
	}
	if !status.has("MANIFEST_BLOB_UNKNOWN") && !status.has("MANIFEST_UNKNOWN") && !status.has("MANIFEST_INVALID") {
		return err
	}
	var e *Error
	if errors.As(err, &e) {
		return &Error{URL: e.URL, Action: e.Action, Err: fmt.Errorf("%w: %w", ErrSparseIndex, e.Err)}
	}
	return err
}

// tagServed tags what a registry that refuses the index can answer with.
func (p *imagePusher) tagServed(ctx context.Context, tag string, img bundle.Image) error {
	served, err := p.served(img)
	if err != nil {
		return err
	}
	b := served.Cut
	if b == nil {
		if b, err = p.bytes(served.Digest); err != nil {
			return err
		}
	}
	p.c.log.Warn("mirror: the registry wants every platform of an index; pushing a reduced one under the tag",
		"image", img.Name, "digest", served.Digest)
	return p.pushBytes(ctx, tag, served.MediaType, b)
}

// served tells what every registry can answer with. That the objects name anything else is an error: they would not run.
func (p *imagePusher) served(img bundle.Image) (bundle.Served, error) {
	served, err := img.Served(p.bytes)
	if err == nil && img.Pinned != "" && img.Pinned != served.Digest {
		err = &bundle.NameError{Image: img.Name, Err: fmt.Errorf("the objects name %s, and the release carries %s", img.Pinned, served.Digest)}
	}
	return served, err
}

// attach pushes signatures, attestations and other artifacts that belong to an image.
func (p *imagePusher) attach(ctx context.Context, attached []bundle.Attached) error {
	referrers := make(map[digest.Digest][]ocispec.Descriptor)
	var subjects []digest.Digest
	for _, a := range attached {
		ref := a.Tag
		if ref == "" {
			ref = a.Digest.String()
		}
		if err := p.push(ctx, ref, a.Digest, a.MediaType); err != nil {
			return err
		}
		if refers, err := p.refers(a); err != nil {
			return err
		} else if !refers {
			continue
		}
		if _, ok := referrers[a.Subject]; !ok {
			subjects = append(subjects, a.Subject)
		}
		referrers[a.Subject] = append(referrers[a.Subject], ocispec.Descriptor{
			MediaType: a.MediaType, Digest: a.Digest, Size: a.Size,
			ArtifactType: a.ArtifactType, Annotations: a.Annotations,
		})
	}
	for _, subject := range subjects {
		if err := p.c.AddReferrers(ctx, p.repo, subject, referrers[subject]); err != nil {
			return err
		}
	}
	return nil
}

// refers tells whether an artifact is a referrer: one that its own manifest says belongs to the subject. One with a tag
// is found by that, and an attestation of BuildKit's by the image's index.
func (p *imagePusher) refers(a bundle.Attached) (bool, error) {
	if a.Tag != "" {
		return false, nil
	}
	raw, err := p.bytes(a.Digest)
	if err != nil {
		return false, err
	}
	var m struct {
		Subject *ocispec.Descriptor `json:"subject"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return false, fmt.Errorf("manifest %s: %w", a.Digest, err)
	}
	return m.Subject != nil && m.Subject.Digest == a.Subject, nil
}

// CheckImage tells whether the mirror would serve an image, whatever its tags say: its manifests can be read by digest,
// what TagImage will push among them, and configs and layers are there with the right sizes. Layers are not read; Fsck
// does that. Without raw, what stands in for an index is looked for by the tag.
func (c *Client) CheckImage(ctx context.Context, img bundle.Image, sizes map[digest.Digest]int64, raw Raw) error {
	name, err := Repository(img.Name)
	if err != nil {
		return err
	}
	if raw == nil {
		err = c.checkNamed(ctx, name, img)
	} else {
		err = c.checkRoot(ctx, name, img, raw)
	}
	if err != nil {
		return err
	}
	for _, x := range img.Indexes {
		if err := c.checkInner(ctx, name.Repository, x.Digest, img.Digest); err != nil {
			return err
		}
	}
	for _, m := range img.Manifests {
		if _, _, err := c.Manifest(ctx, name.Repository, m.Digest.String()); err != nil {
			return err
		}
		for _, dgst := range append([]digest.Digest{m.Config}, m.Layers...) {
			if err := c.checkSize(ctx, name.Repository, dgst, sizes); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) checkSize(ctx context.Context, repo string, dgst digest.Digest, sizes map[digest.Digest]int64) error {
	size, err := c.headBlob(ctx, repo, dgst)
	if want, ok := sizes[dgst]; err == nil && ok && want != size {
		err = fmt.Errorf("%w: it has %d bytes, not %d", ErrDamaged, size, want)
	}
	return c.fail(ctx, err, "look for blob %s in %s", dgst, repo)
}

// checkInner reads an index inside that of an image. Where a cut index stands in for the image's, none is needed.
func (c *Client) checkInner(ctx context.Context, repo string, inner, root digest.Digest) error {
	_, _, err := c.Manifest(ctx, repo, inner.String())
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, _, rootErr := c.Manifest(ctx, repo, root.String()); errors.Is(rootErr, ErrNotFound) {
		return nil
	}
	return err
}

// checkNamed is checkRoot without the image's index: by the digest that the objects name, else by the tag.
func (c *Client) checkNamed(ctx context.Context, name bundle.Reference, img bundle.Image) error {
	missing := c.checkRoot(ctx, name, img, func(digest.Digest) ([]byte, error) { return nil, ErrNotFound })
	if !errors.Is(missing, ErrNotFound) || img.Pinned != "" || name.Tag == "" {
		return missing
	}
	raw, _, err := c.Manifest(ctx, name.Repository, name.Tag)
	if err != nil || !isCut(raw, img) {
		return missing
	}
	return nil
}

// isCut tells whether raw is what stands in for the image's index: an index of what the release carries of the image and
// of nothing else, or its one image manifest.
func isCut(raw []byte, img bundle.Image) bool {
	if len(img.Manifests) == 1 && digest.FromBytes(raw) == img.Manifests[0].Digest {
		return true
	}
	var index ocispec.Index
	if json.Unmarshal(raw, &index) != nil {
		return false
	}
	known := img.Carried()
	for _, x := range img.Indexes {
		known = append(known, x.Digest)
	}
	if slices.ContainsFunc(index.Manifests, func(d ocispec.Descriptor) bool { return !slices.Contains(known, d.Digest) }) {
		return false
	}
	for _, m := range img.Manifests {
		leads := func(d ocispec.Descriptor) bool {
			return d.Digest == m.Digest || slices.ContainsFunc(img.Indexes, func(x bundle.InnerIndex) bool { return x.Digest == d.Digest })
		}
		if !slices.ContainsFunc(index.Manifests, leads) {
			return false
		}
	}
	return true
}

// CheckTag tells whether the image's name leads to the image: the tag to its digest or, in a registry that refuses sparse
// indexes, to a cut one. ErrDamaged tells that it leads elsewhere. A name without a tag leads where it says.
func (c *Client) CheckTag(ctx context.Context, img bundle.Image) error {
	name, err := Repository(img.Name)
	if err != nil || name.Tag == "" {
		return err
	}
	raw, _, err := c.Manifest(ctx, name.Repository, name.Tag)
	if err != nil {
		return err
	}
	if got := digest.FromBytes(raw); got != img.Digest && !(bundle.IsIndex(img.MediaType) && isCut(raw, img)) {
		return c.fail(ctx, fmt.Errorf("%w: it leads to %s, not to %s", ErrDamaged, got, img.Digest), "look for tag %s of %s", name.Tag, name.Repository)
	}
	return nil
}

// checkRoot reads what the image's name resolves to. In a registry that refuses sparse indexes that is what the objects
// name, or what TagImage pushes.
func (c *Client) checkRoot(ctx context.Context, name bundle.Reference, img bundle.Image, raw Raw) error {
	if img.Pinned != "" {
		_, _, err := c.Manifest(ctx, name.Repository, img.Pinned.String())
		return err
	}
	_, _, missing := c.Manifest(ctx, name.Repository, img.Digest.String())
	if !errors.Is(missing, ErrNotFound) || !bundle.IsIndex(img.MediaType) || name.Tag == "" {
		return missing
	}
	p := imagePusher{c: c, repo: name.Repository, raw: raw}
	served, err := p.served(img)
	if err != nil {
		return missing // nobody has the index
	}
	_, _, err = c.Manifest(ctx, name.Repository, served.Digest.String())
	return err
}
