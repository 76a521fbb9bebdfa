package manifest

import (
	"errors"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomize builds a folder's kustomization. Krusty's default options allow no plugins and no files outside the
// kustomizations' folders; that nothing is fetched is seen to before.
func kustomize(dir string) ([]Object, error) {
	t, err := readTree(dir)
	if err != nil {
		return nil, err
	}
	place := Place{File: kustomization(dir)}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, &Error{Place: place, Problem: "this kustomization does not build", Err: oneLine(err)}
	}
	var objects []Object
	for _, resource := range resources.Resources() {
		asJSON, err := resource.MarshalJSON()
		if err != nil {
			return nil, &Error{Place: place, Problem: "this kustomization gives an object that is none", Err: err}
		}
		fields, err := decodeFields(asJSON)
		if err != nil {
			return nil, &Error{Place: place, Problem: "this kustomization gives an object that is none", Err: err}
		}
		o := Object{Fields: fields, Place: place, tree: t}
		o.Place = t.findObject(&o, place)
		flat, err := flatten(o)
		if err != nil {
			return nil, err
		}
		objects = append(objects, flat...)
	}
	return objects, nil
}

// oneLine joins the lines of an error's message.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
