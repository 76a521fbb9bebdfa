package manifest

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// Place is a line of a file.
type Place = kubeyaml.Place

// Error is what is wrong with a manifest.
type Error = kubeyaml.Error

// ImageError is an image reference that is none.
type ImageError struct {
	Place
	Object string // Deployment warehouse/pick-engine
	Field  string // spec.template.spec.containers[0].image
	Err    error
}

// Error gives file:line, object, field and what is wrong.
func (e *ImageError) Error() string {
	return fmt.Sprintf("%s: %s: %s: %v", e.Place, e.Object, e.Field, e.Err)
}

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *ImageError) Reason() string { return "image" }

// Hint is what to do next.
func (e *ImageError) Hint() string { return "write it as HOST/REPOSITORY:TAG" }
