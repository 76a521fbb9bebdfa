package manifest

import (
	"errors"
	"regexp"
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

// The forms in which kustomize quotes what stands in a kustomization, which may be a Secret's value: configurations, patches,
// literals, fields.
var kustomizeQuotes = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile("(?s) with config: `.*?`:"), ":"},
	{regexp.MustCompile(`(?s)\[patch: ".*"\]`), "an inline patch"},
	{regexp.MustCompile(`(?s)literal sources \[.*\]: invalid literal source .*, expected key=value`), "a literal is not written as KEY=VALUE"},
	{regexp.MustCompile(`(?s): node contents:.*`), ""},
}

// oneLine joins the lines of an error's message and leaves out what it quotes: logs of builds are read by many.
func oneLine(err error) error {
	message := err.Error()
	for _, q := range kustomizeQuotes {
		message = q.form.ReplaceAllLiteralString(message, q.as)
	}
	return errors.New(strings.Join(strings.Fields(message), " "))
}
