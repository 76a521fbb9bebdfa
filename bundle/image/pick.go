package image

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// containerdName is where containerd and docker save write an image's full name; the standard annotation then holds
// the tag alone.
const containerdName = "io.containerd.image.name"

// cosignKind is how cosign save marks the entries of the layouts it writes.
const cosignKind = "kind"

var attachedTagForm = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\.[a-z]+)?$`)

// attachedTag reports whether a tag is one of cosign's or a referrers fallback.
func attachedTag(tag string) bool { return attachedTagForm.MatchString(tag) }

// cosignSaved gives the tag suffix of what cosign save filed without a tag; empty for all else.
func cosignSaved(e ocispec.Descriptor) string {
	switch e.Annotations[cosignKind] {
	case "dev.cosignproject.cosign/sigs":
		return ".sig"
	case "dev.cosignproject.cosign/atts":
		return ".att"
	}
	return ""
}

// pickEntry chooses an image of a layout: the one that the source names; else the only one; else the one with the
// image's own name or digest; else the only one with its tag.
func pickEntry(entries []ocispec.Descriptor, n bundle.Reference, pick string) (ocispec.Descriptor, error) {
	if pick != "" {
		if found := filter(entries, func(e ocispec.Descriptor) bool { return called(e, pick) }); len(found) == 1 {
			return found[0], nil
		} else if len(found) > 1 {
			return ocispec.Descriptor{}, errorf("its source holds %d different images named %s", len(found), pick)
		}
		return ocispec.Descriptor{}, &Error{Problem: fmt.Sprintf("its source holds no image named %s", pick), Advice: names(entries)}
	}
	for _, suits := range []func(ocispec.Descriptor) bool{
		func(ocispec.Descriptor) bool { return true },
		func(e ocispec.Descriptor) bool { return called(e, n.String()) || e.Digest == n.Digest },
		func(e ocispec.Descriptor) bool {
			return n.Tag != "" && e.Annotations[ocispec.AnnotationRefName] == n.Tag
		},
	} {
		if found := filter(entries, suits); len(found) == 1 {
			return found[0], nil
		}
	}
	if len(entries) == 0 {
		return ocispec.Descriptor{}, errorf("its source holds no image")
	}
	return ocispec.Descriptor{}, &Error{Problem: "its source holds several images", Advice: names(entries)}
}

// called reports whether an entry carries a name, as it is or in canonical form.
func called(e ocispec.Descriptor, name string) bool {
	for _, key := range []string{ocispec.AnnotationRefName, containerdName} {
		if has := e.Annotations[key]; has != "" && sameName(has, name) {
			return true
		}
	}
	return false
}

func sameName(a, b string) bool {
	if a == b {
		return true
	}
	x, err := bundle.ParseReference(a)
	if err != nil {
		return false
	}
	y, err := bundle.ParseReference(b)
	return err == nil && x == y
}

// filter gives the entries that suit, each digest once.
func filter(entries []ocispec.Descriptor, suits func(ocispec.Descriptor) bool) []ocispec.Descriptor {
	var found []ocispec.Descriptor
	seen := make(map[digest.Digest]bool)
	for _, e := range entries {
		if suits(e) && !seen[e.Digest] {
			seen[e.Digest] = true
			found = append(found, e)
		}
	}
	return found
}

// names advises which names could have been written.
func names(entries []ocispec.Descriptor) string {
	var list []string
	for _, e := range entries {
		name := e.Annotations[containerdName]
		if name == "" {
			name = e.Annotations[ocispec.AnnotationRefName]
		}
		if name != "" && len(list) < 10 {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return "the images in it have no names: make a source with one image"
	}
	return "add :NAME to the source, one of " + strings.Join(list, ", ")
}
