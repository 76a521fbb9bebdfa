package bundle

import (
	"errors"
	"fmt"
)

// ErrConflict means that a mirror could answer for only one of two images.
var ErrConflict = errors.New("another image has the same place in a mirror")

// NameError is an image name that cannot be parsed or that clashes with another.
type NameError struct {
	Image string
	Err   error
}

// Error names the image.
func (e *NameError) Error() string { return fmt.Sprintf("image %q: %v", e.Image, e.Err) }

// Unwrap returns the cause.
func (e *NameError) Unwrap() error { return e.Err }

// Reason is "image".
func (e *NameError) Reason() string { return "image" }

// Hint says how a name must look.
func (e *NameError) Hint() string {
	return "name images HOST/PATH:TAG or HOST/PATH@sha256:DIGEST; pin one of two that differ only in their host by digest"
}

// CheckNames returns an error if two images have the same repository path and tag but different digests. A runtime asks a
// mirror for the path without the host, so it could answer for one of them only.
func CheckNames(images []Image) error {
	seen := make(map[string]Image, len(images))
	for _, img := range images {
		n, err := ParseReference(img.Name)
		if err != nil {
			return &NameError{Image: img.Name, Err: err}
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
