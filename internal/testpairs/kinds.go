package testpairs

import (
	"embed"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed kinds/*.yaml
var files embed.FS

// fragment is a part of an object, merged into it.
type fragment = map[string]any

// option is a choice between fragments, of which an object has one or none.
type option = []fragment

// kind says how objects of one kind are made.
type kind struct {
	Object fragment `json:"object"`
	// Pod is the path of the object's pod template, to which the common fragments for pods apply.
	Pod     string   `json:"pod"`
	Options []option `json:"options"`
	// Fixed options are the same in both releases: the server does not let them change.
	Fixed []option `json:"fixed"`
	// OneWay options may come with the second release, and cannot be taken back.
	OneWay []option `json:"oneWay"`
	Edits  []edit   `json:"edits"`
	// With is the kind without which there is none of this.
	With string `json:"with"`
}

// edit is what somebody other than sallyport does to an object.
type edit struct {
	Manager     string   `json:"manager"`
	Type        string   `json:"type"` // merge, or strategic if empty
	Subresource string   `json:"subresource"`
	Patch       fragment `json:"patch"`
	Delete      bool     `json:"delete"`
}

// names are what stands for the pair in the files.
type names struct {
	namespace, prefix string
	port              int
}

// loadKinds reads the folder with the pair's names filled in.
func loadKinds(n names) ([]kind, error) {
	fill := strings.NewReplacer("$ns", n.namespace, "$port", fmt.Sprint(n.port), "$patch", "$patch", "$p", n.prefix)
	var kinds []kind
	var pod kind
	dir, err := files.ReadDir("kinds")
	if err != nil {
		return nil, err
	}
	for _, f := range dir {
		b, err := files.ReadFile("kinds/" + f.Name())
		if err != nil {
			return nil, err
		}
		text := []byte(fill.Replace(string(b)))
		if f.Name() == "pod.yaml" {
			if err := yaml.UnmarshalStrict(text, &pod); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name(), err)
			}
			continue
		}
		var some []kind
		if err := yaml.UnmarshalStrict(text, &some); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		kinds = append(kinds, some...)
	}
	for i := range kinds {
		kinds[i].addPod(pod)
	}
	return kinds, nil
}

// addPod gives a kind with a pod template what all of them may have.
func (k *kind) addPod(pod kind) {
	if k.Pod == "" {
		return
	}
	path := strings.Split(k.Pod, ".")
	for _, o := range pod.Options {
		var below option
		for _, f := range o {
			below = append(below, wrap(path, f))
		}
		k.Options = append(k.Options, below)
	}
	for _, e := range pod.Edits {
		e.Patch = wrap(path, e.Patch)
		k.Edits = append(k.Edits, e)
	}
}

// wrap puts a fragment below a path.
func wrap(path []string, f fragment) fragment {
	for i := len(path) - 1; i >= 0; i-- {
		f = fragment{path[i]: map[string]any(f)}
	}
	return f
}
