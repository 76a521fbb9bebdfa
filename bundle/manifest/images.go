package manifest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxDepth bounds how deep objects are searched.
const maxDepth = 256

// ImageUse is an image reference in an object.
type ImageUse struct {
	Name      bundle.Reference // what it means
	Reference string           // as written
	Object    string           // Deployment warehouse/pick-engine
	Field     string           // spec.template.spec.containers[0].image
	Place

	object int // in Rendered.Objects
	path   kubeyaml.Path
}

// Images finds every image reference, in the order of the objects. Extra names fields of custom resources.
func (r *Rendered) Images(extra []ImageField) ([]ImageUse, error) {
	var uses []ImageUse
	for k := range r.Objects {
		s := search{object: &r.Objects[k], index: k}
		if err := s.run(extra); err != nil {
			return nil, err
		}
		uses = append(uses, s.uses...)
	}
	return uses, nil
}

// search collects the images of one object.
type search struct {
	object *Object
	index  int
	uses   []ImageUse
	seen   map[string]bool
}

func (s *search) run(extra []ImageField) error {
	s.seen = make(map[string]bool)
	if s.object.Kind() != "CustomResourceDefinition" {
		if err := s.walk(s.object.Fields, nil); err != nil {
			return err
		}
	}
	for _, f := range extra {
		if f.APIVersion != s.object.APIVersion() || f.Kind != s.object.Kind() {
			continue
		}
		steps, err := f.steps()
		if err != nil {
			return err
		}
		if err := s.follow(s.object.Fields, steps, nil); err != nil {
			return err
		}
	}
	return nil
}

// walk looks for pod specifications anywhere in a value.
func (s *search) walk(v any, path kubeyaml.Path) error {
	if len(path) > maxDepth {
		return &Error{Place: s.object.Place, Problem: fmt.Sprintf("%s is nested deeper than %d levels", s.object.ID(), maxDepth)}
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if err := s.walk(item, path.With(i)); err != nil {
				return err
			}
		}
	case map[string]any:
		if err := s.podSpec(v, path); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := s.walk(v[key], path.With(key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// podSpec takes the images of the lists that a pod specification has. A list under such a name that holds anything
// but maps is something else.
func (s *search) podSpec(spec map[string]any, path kubeyaml.Path) error {
	for _, key := range []string{"initContainers", "containers", "ephemeralContainers", "volumes"} {
		items, ok := spec[key].([]any)
		if !ok || slices.ContainsFunc(items, func(item any) bool { _, isMap := item.(map[string]any); return !isMap }) {
			continue
		}
		for i, item := range items {
			image, field := item.(map[string]any)["image"], path.With(key, i, "image")
			if volume, ok := image.(map[string]any); ok && key == "volumes" {
				image, field = volume["reference"], field.With("reference")
			}
			if ref, ok := image.(string); ok && ref != "" {
				if err := s.add(ref, field); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// follow takes the images that an ImageField leads to. What is absent is no fault, what is no text is.
func (s *search) follow(v any, steps []any, path kubeyaml.Path) error {
	if v == nil {
		return nil
	}
	if len(steps) == 0 {
		if ref, ok := v.(string); ok {
			return s.add(ref, path)
		}
		return s.unfit(path, "text")
	}
	switch step := steps[0].(type) {
	case string:
		m, ok := v.(map[string]any)
		if !ok {
			return s.unfit(path, "a set of fields")
		}
		return s.follow(m[step], steps[1:], path.With(step))
	case int:
		list, ok := v.([]any)
		if !ok {
			return s.unfit(path, "a list")
		}
		if step >= len(list) {
			return nil
		}
		return s.follow(list[step], steps[1:], path.With(step))
	default:
		list, ok := v.([]any)
		if !ok {
			return s.unfit(path, "a list")
		}
		for i, item := range list {
			if err := s.follow(item, steps[1:], path.With(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *search) unfit(path kubeyaml.Path, want string) error {
	return &Error{Place: s.object.FieldPlace(path), Advice: "check spec.imageFields in release.yaml",
		Problem: fmt.Sprintf("%s: %s is not %s, so no image can be found there", s.object.ID(), path, want)}
}

// add notes one reference, once.
func (s *search) add(ref string, path kubeyaml.Path) error {
	field := path.String()
	if s.seen[field] {
		return nil
	}
	s.seen[field] = true
	place := s.object.imagePlace(ref, path)
	name, err := bundle.ParseReference(ref)
	if err != nil {
		return &ImageError{Place: place, Object: s.object.ID(), Field: field, Err: err}
	}
	s.uses = append(s.uses, ImageUse{Name: name, Reference: ref, Object: s.object.ID(), Field: field, Place: place,
		object: s.index, path: path})
	return nil
}

// imagePlace tells where an image reference is written.
func (o *Object) imagePlace(ref string, path kubeyaml.Path) Place {
	if o.tree != nil {
		return o.tree.findImage(ref, o.Place)
	}
	return o.FieldPlace(path)
}

// Pin puts digests beside the tags (NAME:TAG@DIGEST) in the objects that Images searched. Digests are by canonical name
// (ImageUse.Name.String); references with other names stay as they are written.
func (r *Rendered) Pin(uses []ImageUse, digests map[string]digest.Digest) error {
	for _, u := range uses {
		d, ok := digests[u.Name.String()]
		if !ok {
			continue
		}
		if u.object >= len(r.Objects) || !set(r.Objects[u.object].Fields, u.path, u.Name.String()+"@"+d.String()) {
			return fmt.Errorf("manifest: %s has no field %s to pin", u.Object, u.Field)
		}
	}
	return nil
}

// set changes the text at a path and reports whether there was one.
func set(v any, path kubeyaml.Path, value string) bool {
	for k, step := range path {
		last := k == len(path)-1
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return false
			}
			if _, isText := m[step].(string); last && isText {
				m[step] = value
				return true
			}
			v = m[step]
		case int:
			list, ok := v.([]any)
			if !ok || step >= len(list) {
				return false
			}
			if _, isText := list[step].(string); last && isText {
				list[step] = value
				return true
			}
			v = list[step]
		}
	}
	return false
}
