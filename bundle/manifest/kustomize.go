package manifest

import (
	"errors"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
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
		o, err := kubeyaml.FromJSON(asJSON, place)
		if err != nil {
			return nil, err
		}
		for _, flat := range o {
			made := Object{Object: flat, tree: t}
			made.Place = t.findObject(&made, place)
			objects = append(objects, made)
		}
	}
	return objects, nil
}

// oneLine joins the lines of an error's message.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
