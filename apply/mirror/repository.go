package mirror

import "github.com/sallyport-dev/sallyport/bundle"

// Repository returns the place in the mirror of an image, by its full or familiar name. A container runtime that is
// configured with a mirror asks it for the repository path without the host; so that is where images go.
func Repository(image string) (bundle.Reference, error) {
	ref, err := bundle.ParseReference(image)
	if err != nil {
		return bundle.Reference{}, &bundle.NameError{Image: image, Err: err}
	}
	return ref, nil
}
