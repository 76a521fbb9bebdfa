package manifest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// given is the file in an overlay's folder, in memory only, by which kustomize gets the objects that the overlay changes.
const given = ".sallyport-objects.yaml"

// overlayFolder is an overlay's kustomization.
type overlayFolder struct {
	name  string
	dir   string
	place Place
	tree  *tree
	kust  types.Kustomization
}

// folder reads the kustomization of the overlay number i.
func (b *baseline) folder(i int) (*overlayFolder, error) {
	s := &b.overlays[i]
	f := &overlayFolder{name: s.Name, dir: s.Path, place: Place{File: kustomization(s.Path)}}
	if f.place.File == "" {
		return nil, &Error{Place: s.Place, Problem: fmt.Sprintf("overlay %s: there is no kustomization.yaml in %s", s.Name, s.Path),
			Advice: "name a folder with a kustomization; its patches are made on the release's manifests"}
	}
	var err error
	if f.tree, err = readTree(s.Path); err != nil {
		return nil, err
	}
	raw, err := readFile(f.place.File)
	if err != nil {
		return nil, err
	}
	if err := f.kust.Unmarshal(raw); err != nil {
		return nil, f.fail(oneLine(err))
	}
	f.kust.FixKustomization()
	f.kust.TypeMeta = types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}
	there := b.sources
	for k := range b.overlays {
		if s.Refines(&b.overlays[k].Overlay) {
			there = append(there[:len(there):len(there)], realPath(b.overlays[k].Path))
		}
	}
	f.kust.Resources = slices.DeleteFunc(f.kust.Resources, func(r string) bool {
		return !filepath.IsAbs(r) && slices.Contains(there, realPath(filepath.Join(s.Path, r)))
	})
	return f, nil
}

func (f *overlayFolder) fail(err error) error {
	return &Error{Place: f.place, Problem: fmt.Sprintf("overlay %s does not build", f.name), Err: err}
}

// build renders the kustomization on the objects, and refuses what in it has no effect on any.
func (f *overlayFolder) build(before *view) ([]Object, error) {
	k := f.kust
	k.Resources = append([]string{given}, k.Resources...)
	resources, err := f.run(k, before.stream)
	if err != nil {
		return nil, f.failed(before.objects, err)
	}
	if err := f.checkHits(before, resources); err != nil {
		return nil, err
	}
	found, err := objectsOf(resources, f.place)
	if err != nil {
		return nil, err
	}
	after := make([]Object, len(found))
	for i := range found {
		after[i] = Object{Object: found[i], tree: f.tree}
		after[i].Place = f.tree.findObject(&after[i], f.place)
	}
	return after, nil
}

// run builds a kustomization in the place of the folder's own.
func (f *overlayFolder) run(k types.Kustomization, stream []byte) (resmap.ResMap, error) {
	text, err := yaml.Marshal(k)
	if err != nil {
		return nil, err
	}
	disk := filesys.MakeFsOnDisk()
	dir, _, err := disk.CleanedAbs(f.dir)
	if err != nil {
		return nil, err
	}
	return krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(&withFiles{FileSystem: disk, dir: dir, files: map[string][]byte{
		dir.Join(filepath.Base(f.place.File)): text, dir.Join(given): stream}}, f.dir)
}

// withFiles is a file system in which a folder has some files more, or other ones.
type withFiles struct {
	filesys.FileSystem
	dir   filesys.ConfirmedDir
	files map[string][]byte // by clean absolute path
}

// ReadFile reads a file.
func (w *withFiles) ReadFile(path string) ([]byte, error) {
	if b, ok := w.files[path]; ok {
		return b, nil
	}
	return w.FileSystem.ReadFile(path)
}

// Exists tells whether there is a file or folder.
func (w *withFiles) Exists(path string) bool {
	return w.files[path] != nil || w.FileSystem.Exists(path)
}

// CleanedAbs parts a path into folder and file.
func (w *withFiles) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	if w.files[path] != nil {
		return w.dir, filepath.Base(path), nil
	}
	return w.FileSystem.CleanedAbs(path)
}

// view is objects as kustomize is given them.
type view struct {
	objects []kubeyaml.Object
	stream  []byte
	read    resmap.ResMap // nil until it is asked for
}

func newView(objects []kubeyaml.Object) (*view, error) {
	v := &view{objects: kustomized(objects)}
	var err error
	v.stream, err = streamOf(v.objects)
	return v, err
}

// resources is the objects as kustomize reads them.
func (v *view) resources() (resmap.ResMap, error) {
	var err error
	if v.read == nil {
		v.read, err = inMemory(v.stream)
	}
	return v.read, err
}

// passThrough gives the objects as kustomize gives them back if it has nothing to do.
func (v *view) passThrough() ([]kubeyaml.Object, error) {
	m, err := v.resources()
	if err != nil {
		return nil, err
	}
	return objectsOf(m, Place{})
}

// inMemory gives a stream of objects to kustomize.
func inMemory(stream []byte) (resmap.ResMap, error) {
	disk := filesys.MakeFsInMemory()
	text := "resources: [" + given + "]\n"
	if len(stream) == 0 {
		return resmap.New(), nil
	}
	for name, b := range map[string][]byte{given: stream, "kustomization.yaml": []byte(text)} {
		if err := disk.WriteFile("/"+name, b); err != nil {
			return nil, err
		}
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/")
	if err != nil {
		return nil, &Error{Problem: "kustomize does not take the release's objects", Err: oneLine(err)}
	}
	return m, nil
}

func objectsOf(m resmap.ResMap, place Place) ([]kubeyaml.Object, error) {
	var objects []kubeyaml.Object
	for _, r := range m.Resources() {
		b, err := r.MarshalJSON()
		if err != nil {
			return nil, &Error{Place: place, Problem: "this kustomization gives an object that is none", Err: err}
		}
		found, err := kubeyaml.FromJSON(b, place)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// kustomized leaves out the objects that kustomize passes over.
func kustomized(objects []kubeyaml.Object) []kubeyaml.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o kubeyaml.Object) bool {
		meta, _ := o.Fields["metadata"].(map[string]any)
		annotations, _ := meta["annotations"].(map[string]any)
		local, ok := annotations["config.kubernetes.io/local-config"].(string)
		return ok && local != "false"
	})
}

func streamOf(objects []kubeyaml.Object) ([]byte, error) {
	docs := make([][]byte, len(objects))
	for i := range objects {
		b, err := kubeyaml.Marshal(objects[i].Fields)
		if err != nil {
			return nil, &Error{Place: objects[i].Place, Problem: objects[i].ID() + " cannot be packed", Err: err}
		}
		docs[i] = b
	}
	return kubeyaml.Join(docs), nil
}

// realPath is a path by which to know a file or folder again.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if followed, err := filepath.EvalSymlinks(abs); err == nil {
		abs = followed
	}
	if base := filepath.Base(abs); strings.HasPrefix(strings.ToLower(base), "kustomization") {
		return filepath.Dir(abs)
	}
	return abs
}
