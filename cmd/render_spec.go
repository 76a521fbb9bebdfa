//go:build !site

package cmd

import (
	"context"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/build"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

// renderingOf renders a release.yaml.
func renderingOf(ctx context.Context, file string) (*rendering, error) {
	spec, err := build.Load(file)
	if err != nil {
		return nil, err
	}
	rendered, err := build.Render(ctx, spec, image.Config{})
	if err != nil {
		return nil, err
	}
	objects, err := rendered.Objects.Marshal()
	if err != nil {
		return nil, err
	}
	edits := map[string][]overlay.Edit{}
	d := &bundle.Descriptor{Name: spec.Name, Version: spec.Version, Labels: spec.Labels}
	for _, o := range rendered.Overlays {
		d.Overlays, edits[o.Name] = append(d.Overlays, o.Overlay), o.Changes
	}
	return &rendering{d, objects, func(o *bundle.Overlay) ([]overlay.Edit, error) { return edits[o.Name], nil }}, nil
}
