package mirror

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Repository returns the place in the mirror of an image, by its full or familiar name. A container runtime that is
// configured with a mirror asks it for the repository path without the host; so that is where images go.
func Repository(image string) (bundle.Reference, error) {
	ref, err := bundle.ParseReference(image)
	if err != nil {
		return bundle.Reference{}, &NameError{Image: image, Err: err}
	}
	return ref, nil
}

// NameError is an image name that cannot be parsed or that clashes with another.
type NameError struct {
	Image string
	Err   error
}

func (e *NameError) Error() string { return fmt.Sprintf("image %q: %v", e.Image, e.Err) }

func (e *NameError) Unwrap() error { return e.Err }

// Reason is "image".
func (e *NameError) Reason() string { return "image" }

// Hint says how a name must look.
func (e *NameError) Hint() string {
	return "name images HOST/PATH:TAG or HOST/PATH@sha256:DIGEST; pin one of two that differ only in their host by digest"
}

// CheckNames returns an error if two images have the same repository path and tag in the mirror but different
// digests: the mirror could answer for one of them only.
func CheckNames(images []bundle.Image) error {
	seen := make(map[string]bundle.Image, len(images))
	for _, img := range images {
		n, err := Repository(img.Name)
		if err != nil {
			return err
		}
		if n.Tag == "" {
			continue
		}
		key := n.Repository + ":" + n.Tag
		if other, ok := seen[key]; ok && other.Digest != img.Digest {
			return &NameError{Image: img.Name, Err: fmt.Errorf("%w: %s is also there as %s", ErrConflict, other.Name, key)}
		}
		seen[key] = img
	}
	return nil
}
