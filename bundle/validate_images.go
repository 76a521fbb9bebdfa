package bundle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Media types of image manifests and indexes, OCI's and Docker's.
const (
	mediaTypeManifest       = "application/vnd.oci.image.manifest.v1+json"
	mediaTypeIndex          = "application/vnd.oci.image.index.v1+json"
	mediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// IsIndex tells whether mediaType is that of a multi-platform image.
func IsIndex(mediaType string) bool {
	return mediaType == mediaTypeIndex || mediaType == mediaTypeDockerList
}

// IsManifest tells whether mediaType is that of an image for one platform.
func IsManifest(mediaType string) bool {
	return mediaType == mediaTypeManifest || mediaType == mediaTypeDockerManifest
}

func (v *validator) images() error {
	seen := map[string]bool{}
	for i := range v.d.Images {
		im := &v.d.Images[i]
		if seen[im.Name] {
			return fmt.Errorf("image %q is listed twice", im.Name)
		}
		seen[im.Name] = true
		if err := v.image(im); err != nil {
			return fmt.Errorf("image %q: %w", im.Name, err)
		}
	}
	return nil
}

func (v *validator) image(im *Image) error {
	ref, err := ParseReference(im.Name)
	if err != nil {
		return err
	}
	if s := ref.String(); s != im.Name {
		return fmt.Errorf("the name is not in full: write %s", s)
	}
	if ref.Digest != "" && ref.Digest != im.Digest {
		return fmt.Errorf("the name pins another digest than %s", im.Digest)
	}
	if err := v.size(im.Digest, im.Size, MaxManifestSize); err != nil {
		return err
	}
	if err := v.imageManifests(im); err != nil {
		return err
	}
	if err := v.innerIndexes(im); err != nil {
		return err
	}
	if err := im.checkPinned(ref); err != nil {
		return err
	}
	return v.attached(im)
}

func (v *validator) innerIndexes(im *Image) error {
	if len(im.Indexes) > 0 && !IsIndex(im.MediaType) {
		return fmt.Errorf("it is no index and has indexes inside")
	}
	if len(im.Indexes) > MaxInnerIndexes {
		return fmt.Errorf("%d indexes inside it, more than %d", len(im.Indexes), MaxInnerIndexes)
	}
	seen := map[digest.Digest]bool{im.Digest: true}
	for _, m := range im.Manifests {
		seen[m.Digest] = true
	}
	for _, x := range im.Indexes {
		if seen[x.Digest] {
			return fmt.Errorf("index %q is listed twice", x.Digest)
		}
		seen[x.Digest] = true
		if !IsIndex(x.MediaType) {
			return fmt.Errorf("index %q: media type %q is not an index's", x.Digest, x.MediaType)
		}
		if err := v.size(x.Digest, x.Size, MaxManifestSize); err != nil {
			return fmt.Errorf("index %q: %w", x.Digest, err)
		}
	}
	return nil
}

func (v *validator) imageManifests(im *Image) error {
	switch {
	case len(im.Manifests) == 0:
		return fmt.Errorf("no image manifest is listed")
	case IsManifest(im.MediaType):
		m := im.Manifests[0]
		if len(im.Manifests) != 1 || m.Digest != im.Digest || m.MediaType != im.MediaType || m.Size != im.Size {
			return fmt.Errorf("an image for one platform lists itself as its only manifest")
		}
	case !IsIndex(im.MediaType):
		return fmt.Errorf("media type %q is neither a manifest's nor an index's", im.MediaType)
	}
	seen := map[digest.Digest]bool{}
	for _, m := range im.Manifests {
		if seen[m.Digest] || (IsIndex(im.MediaType) && m.Digest == im.Digest) {
			return fmt.Errorf("manifest %q is listed twice", m.Digest)
		}
		seen[m.Digest] = true
		if err := v.imageManifest(m); err != nil {
			return fmt.Errorf("manifest %q: %w", m.Digest, err)
		}
	}
	return nil
}

// checkPinned checks what can be told of it without the bytes of the index: those say the rest, when a mirror is loaded.
func (im *Image) checkPinned(name Reference) error {
	if im.Pinned == "" {
		return nil
	}
	if err := validDigest(im.Pinned); err != nil {
		return err
	}
	switch {
	case name.Digest != "":
		return fmt.Errorf("it is named by digest, and pinned beside that")
	case im.Pinned != im.Digest && !IsIndex(im.MediaType):
		return fmt.Errorf("it is pinned to %s, which the release does not carry", im.Pinned)
	}
	return nil
}

func (v *validator) imageManifest(m ImageManifest) error {
	if err := v.size(m.Digest, m.Size, MaxManifestSize); err != nil {
		return err
	}
	if !IsManifest(m.MediaType) {
		return fmt.Errorf("media type %q is not an image manifest's", m.MediaType)
	}
	if err := v.platform(m.Platform); err != nil {
		return err
	}
	// Images may share a manifest; then they must say the same of it.
	if old, ok := v.manifests[m.Digest]; ok && !sameManifest(old, m) {
		return fmt.Errorf("two images tell different things of it")
	}
	v.manifests[m.Digest] = m
	for _, d := range append([]digest.Digest{m.Config}, m.Layers...) {
		if err := v.use(d); err != nil {
			return err
		}
	}
	return nil
}

func sameManifest(a, b ImageManifest) bool {
	return slices.Equal(a.Layers, b.Layers) && a.MediaType == b.MediaType && a.Platform == b.Platform && a.Config == b.Config
}

// platform checks that s is one of the release's platforms. Variants are left to the one who chose the image: arm/v6
// runs where arm/v7 is asked for.
func (v *validator) platform(s string) error {
	p, err := canonicalPlatform(s)
	if err != nil {
		return err
	}
	for _, want := range v.d.Platforms {
		if w, _ := ParsePlatform(want); w.OS == p.OS && w.Architecture == p.Architecture {
			return nil
		}
	}
	return fmt.Errorf("platform %s is not one of the release's (%s)", s, strings.Join(v.d.Platforms, ", "))
}

// What a blob takes in a list, in bytes, and each of its bases.
const (
	listedBlob = 256
	listedBase = 80
)

// use notes that an image needs a blob, which must be listed.
func (v *validator) use(d digest.Digest) error {
	b := v.blobs[d]
	if b == nil {
		return fmt.Errorf("blob %q is not listed", string(d))
	}
	if b.MediaType == MediaTypePart {
		return fmt.Errorf("blob %q is a part of an operating system", string(d))
	}
	v.used[d] = true
	if v.listing += listedBlob + len(b.Note) + listedBase*len(b.Bases); v.listing > MaxListing {
		return fmt.Errorf("a list of the images' blobs would have more than %d bytes", MaxListing)
	}
	return nil
}

func (v *validator) attached(im *Image) error {
	subjects := map[digest.Digest]bool{im.Digest: true}
	for _, m := range im.Manifests {
		subjects[m.Digest] = true
	}
	type key struct {
		digest digest.Digest
		tag    string
	}
	seen := map[key]bool{}
	for _, a := range im.Attached {
		k := key{a.Digest, a.Tag}
		if seen[k] {
			return fmt.Errorf("attached %q is listed twice", a.Digest)
		}
		seen[k] = true
		// An artifact may belong to an artifact listed before it: a signature on an attestation.
		if !subjects[a.Subject] {
			return fmt.Errorf("attached %q: its subject %q is not part of the image", a.Digest, string(a.Subject))
		}
		subjects[a.Digest] = true
		if err := v.attachedOne(a); err != nil {
			return fmt.Errorf("attached %q: %w", a.Digest, err)
		}
	}
	return nil
}

func (v *validator) attachedOne(a Attached) error {
	if err := v.size(a.Digest, a.Size, MaxManifestSize); err != nil {
		return err
	}
	if !IsManifest(a.MediaType) {
		return fmt.Errorf("media type %q is not an image manifest's", a.MediaType)
	}
	if a.ArtifactType != "" {
		if err := text("the artifact type", a.ArtifactType, 255); err != nil {
			return err
		}
	}
	if err := cosignTag(a); err != nil {
		return err
	}
	for k, s := range a.Annotations {
		if err := text("annotation "+strconv.Quote(k), k+s, MaxText); err != nil {
			return err
		}
	}
	for _, d := range a.Blobs {
		if err := v.use(d); err != nil {
			return err
		}
	}
	return nil
}

// cosignTag checks that a tag is one of cosign's for the subject: no bundle can set any other tag in a mirror.
func cosignTag(a Attached) error {
	if a.Tag == "" {
		return nil
	}
	stem := "sha256-" + a.Subject.Encoded() + "."
	if suffix, ok := strings.CutPrefix(a.Tag, stem); ok && slices.Contains([]string{"sig", "att", "sbom"}, suffix) {
		return nil
	}
	return fmt.Errorf("tag %q is not cosign's for %s", a.Tag, a.Subject)
}
