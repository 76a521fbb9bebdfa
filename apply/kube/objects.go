package kube

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fluxcd/pkg/ssa/utils"
)

const maxYAML = 64 << 20 // bytes

// parse reads the stream. Lists are taken apart; documents without content are passed over.
func (o Objects) parse() ([]*unstructured.Unstructured, error) {
	if errs := validation.IsValidLabelValue(o.Release); o.Release == "" || len(errs) > 0 {
		return nil, &ManifestError{fmt.Errorf("the release's name %q cannot be a label: %s", o.Release, strings.Join(errs, ", "))}
	}
	if len(o.YAML) > maxYAML {
		return nil, &ManifestError{fmt.Errorf("larger than %d bytes", maxYAML)}
	}
	objs, err := parseYAML(o.YAML)
	if err != nil {
		return nil, &ManifestError{err}
	}
	return objs, nil
}

func parseYAML(stream []byte) ([]*unstructured.Unstructured, error) {
	var objs []*unstructured.Unstructured
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for n := 1; ; n++ {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if objs, err = appendDocument(objs, doc); err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(objs) > maxObjects {
			return nil, fmt.Errorf("more than %d objects", maxObjects)
		}
	}
	return objs, nil
}

func appendDocument(objs []*unstructured.Unstructured, doc []byte) ([]*unstructured.Unstructured, error) {
	js, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return nil, err
	}
	if js = bytes.TrimSpace(js); bytes.Equal(js, []byte("null")) {
		return objs, nil
	}
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(js); err != nil {
		return nil, err
	}
	if !u.IsList() {
		return append(objs, &u), checkObject(&u)
	}
	list, err := u.ToList()
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if err := checkObject(&list.Items[i]); err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		objs = append(objs, &list.Items[i])
	}
	return objs, nil
}

func checkObject(u *unstructured.Unstructured) error {
	if _, err := schema.ParseGroupVersion(u.GetAPIVersion()); err != nil || u.GetAPIVersion() == "" {
		return fmt.Errorf("apiVersion: %q is not one", u.GetAPIVersion())
	}
	switch {
	case u.GetKind() == "":
		return errors.New("kind is missing")
	case u.GetName() == "" && u.GetGenerateName() != "":
		return fmt.Errorf("%s: metadata.generateName makes a new object each time; give it a metadata.name", u.GetKind())
	case u.GetName() == "":
		return fmt.Errorf("%s: metadata.name is missing", u.GetKind())
	}
	return nil
}

// checkRepeated finds an object that stands in the stream twice, once namespaces are settled.
func checkRepeated(objs []*unstructured.Unstructured) error {
	seen := map[ID]bool{}
	for _, u := range objs {
		if seen[idOf(u).key()] {
			return &ManifestError{fmt.Errorf("%s stands there twice", idOf(u))}
		}
		seen[idOf(u).key()] = true
	}
	return nil
}

// stage is when an object is applied.
type stage int

const (
	stageDefinitions stage = iota // namespaces and kinds: must be there before anything can even be asked
	stageBasics                   // what admission looks up: accounts, classes, roles
	stageRest
	stages
)

func stageOf(u *unstructured.Unstructured) stage {
	switch {
	case utils.IsCRD(u), utils.IsNamespace(u):
		return stageDefinitions
	case utils.IsClassDefinition(u), utils.IsClusterRole(u):
		return stageBasics
	case slices.Contains([]string{"Role", "ServiceAccount"}, u.GetKind()):
		return stageBasics
	}
	return stageRest
}

// definition is what a CustomResourceDefinition of the release says of its kind.
type definition struct {
	namespaced bool
	versions   []string // that are served
}

// definitions lists the kinds that the release itself defines.
func definitions(objs []*unstructured.Unstructured) map[schema.GroupKind]definition {
	defs := map[schema.GroupKind]definition{}
	for _, u := range objs {
		if !utils.IsCRD(u) {
			continue
		}
		gk, d := definitionOf(u)
		defs[gk] = d
	}
	return defs
}

func definitionOf(crd *unstructured.Unstructured) (schema.GroupKind, definition) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	scope, _, _ := unstructured.NestedString(crd.Object, "spec", "scope")
	d := definition{namespaced: scope == "Namespaced"}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		name, _, _ := unstructured.NestedString(m, "name")
		if served, _, _ := unstructured.NestedBool(m, "served"); served {
			d.versions = append(d.versions, name)
		}
	}
	return schema.GroupKind{Group: group, Kind: kind}, d
}
