package manifest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// Kustomize says nothing of a patch whose target selects no object, nor of an image that no object names. Patches without a
// target, replicas and replacements it refuses by itself.

// patched is a patch with a target, and where it is written.
type patched struct {
	types.Patch
	place Place
}

// name is how people know the patch.
func (p *patched) name() string {
	if p.Path != "" {
		return "the patch " + p.Path
	}
	return fmt.Sprintf("the patch for %s", selected(p.Target))
}

// selected writes a selector in one line.
func selected(s *types.Selector) string {
	var parts []string
	for _, f := range []struct{ name, value string }{{"group", s.Group}, {"version", s.Version}, {"kind", s.Kind}, {"namespace", s.Namespace},
		{"name", s.Name}, {"labels", s.LabelSelector}, {"annotations", s.AnnotationSelector}} {
		if f.value != "" {
			parts = append(parts, f.name+" "+f.value)
		}
	}
	return strings.Join(parts, ", ")
}

// checkHits refuses what in the overlay's kustomization, and in the components that it lists, hits nothing. Before is the objects
// that the overlay is rendered on, after what came of it.
func (f *overlayFolder) checkHits(before *view, after resmap.ResMap) error {
	patches, err := f.patches(&f.kust, f.dir, f.place, 0)
	if err != nil {
		return err
	}
	var pool []resmap.ResMap
	for _, p := range patches {
		if pool == nil {
			m, err := before.resources()
			if err != nil {
				return err
			}
			pool = append(pool, m, after)
		}
		hit, err := selects(pool, *p.Target)
		if !hit && err == nil && len(pool) == 2 {
			own, buildErr := f.run(f.bare(), before.stream)
			if buildErr == nil {
				pool = append(pool, own)
			}
			hit, err = selects(pool, *p.Target)
		}
		if err != nil {
			return f.fail(oneLine(err))
		}
		if !hit {
			return &Error{Place: p.place, Problem: fmt.Sprintf("overlay %s: %s hits nothing: no object is %s", f.name, p.name(), selected(p.Target)),
				Advice: "correct its target, or remove the patch"}
		}
	}
	return f.checkImages(before)
}

// failed is the error of a build, in our words if it is about a patch whose object is not there.
func (f *overlayFolder) failed(before []kubeyaml.Object, err error) error {
	if !strings.Contains(err.Error(), "unique target") {
		return f.fail(oneLine(err))
	}
	patches := slices.Clone(f.kust.Patches)
	for _, p := range f.kust.PatchesStrategicMerge { //nolint:staticcheck // people still write it
		if patch := string(p); strings.Contains(patch, "\n") {
			patches = append(patches, types.Patch{Patch: patch})
		} else {
			patches = append(patches, types.Patch{Path: patch})
		}
	}
	for _, p := range patches {
		at, text := f.place, []byte(p.Patch)
		if p.Path != "" {
			at = Place{File: filepath.Join(f.dir, p.Path)}
			text, _ = readFile(at.File) // kustomize has read it
		}
		wanted, _ := kubeyaml.Read(at.File, text)
		for _, w := range wanted {
			if p.Target != nil || slices.ContainsFunc(before, func(o kubeyaml.Object) bool { return o.Key() == w.Key() }) {
				continue
			}
			if p.Path != "" {
				at = w.Place
			}
			return &Error{Place: at, Problem: fmt.Sprintf("overlay %s: the patch for %s hits nothing: there is no such object", f.name, w.ID()),
				Advice: "write group, kind, namespace and name as the manifests have them, or remove the patch"}
		}
	}
	return f.fail(oneLine(err))
}

// bare is the kustomization without all that changes objects: what it brings of its own keeps its names.
func (f *overlayFolder) bare() types.Kustomization {
	return types.Kustomization{TypeMeta: f.kust.TypeMeta, Resources: append([]string{given}, f.kust.Resources...),
		ConfigMapGenerator: f.kust.ConfigMapGenerator, SecretGenerator: f.kust.SecretGenerator}
}

// selects tells whether a selector selects any object.
func selects(pool []resmap.ResMap, s types.Selector) (bool, error) {
	for _, m := range pool {
		found, err := m.Select(s)
		if len(found) > 0 || err != nil {
			return len(found) > 0, err
		}
	}
	return false, nil
}

// patches lists the patches with a target of a kustomization and of its components.
func (f *overlayFolder) patches(k *types.Kustomization, dir string, place Place, depth int) ([]patched, error) {
	var list []patched
	for _, p := range append(k.Patches[:len(k.Patches):len(k.Patches)], k.PatchesJson6902...) { //nolint:staticcheck // people still write it
		if p.Target == nil {
			continue
		}
		at := place
		if line := f.tree.lineOf(place.File, p.Path); p.Path != "" && line > 0 {
			at.Line = line
		}
		list = append(list, patched{p, at})
	}
	if depth == maxFolderDepth {
		return list, nil
	}
	for _, c := range k.Components {
		inner := filepath.Join(dir, c)
		file := kustomization(inner)
		if file == "" {
			continue
		}
		raw, err := readFile(file)
		if err != nil {
			return nil, err
		}
		var component types.Kustomization
		if err := component.Unmarshal(raw); err != nil {
			return nil, f.fail(oneLine(err))
		}
		component.FixKustomization()
		more, err := f.patches(&component, inner, Place{File: file}, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// checkImages refuses an image that nothing names, neither what the overlay is rendered on nor what it brings.
func (f *overlayFolder) checkImages(before *view) error {
	var own []kubeyaml.Object
	for _, image := range f.kust.Images {
		if namesImage(before.objects, image.Name) {
			continue
		}
		if own == nil {
			m, err := f.run(f.bare(), before.stream)
			if err == nil {
				own, err = objectsOf(m, f.place)
			}
			if err != nil {
				return f.fail(oneLine(err))
			}
		}
		if !namesImage(own, image.Name) {
			at := f.place
			at.Line = f.tree.lineOf(at.File, image.Name)
			return &Error{Place: at, Problem: fmt.Sprintf("overlay %s: the image %s hits nothing: no object names it", f.name, image.Name),
				Advice: "write its name as the manifests do, without a tag"}
		}
	}
	return nil
}

func namesImage(objects []kubeyaml.Object, name string) bool {
	return slices.ContainsFunc(objects, func(o kubeyaml.Object) bool { return mentionsImage(o.Fields, name, false) })
}

// mentionsImage looks for the image's name, with or without a tag or digest, in every text: kustomize may have been told to look
// in any. A word that could be anything counts only where an image is called one.
func mentionsImage(v any, name string, called bool) bool {
	switch v := v.(type) {
	case string:
		rest, ok := strings.CutPrefix(v, name)
		return ok && (rest == "" && (called || strings.Contains(name, "/")) || strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "@"))
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentionsImage(item, name, called) })
	case map[string]any:
		for key, inner := range v {
			if mentionsImage(inner, name, called || strings.Contains(strings.ToLower(key), "image")) {
				return true
			}
		}
	}
	return false
}

// lineOf gives the line of a tree's file that has the word by itself; 0 if none has.
func (t *tree) lineOf(path, word string) int {
	for i := range t.files {
		if t.files[i].path == filepath.Clean(path) {
			return findWord(t.files[i].raw, word, 0)
		}
	}
	return 0
}
