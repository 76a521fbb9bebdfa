package kube

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fluxcd/pkg/ssa/utils"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// parse reads the stream. Lists are taken apart; documents without content are passed over.
func (o Objects) parse() ([]*unstructured.Unstructured, error) {
	if errs := validation.IsValidLabelValue(o.Release); o.Release == "" || len(errs) > 0 {
		return nil, &ManifestError{fmt.Errorf("the release's name %q cannot be a label: %s", o.Release, strings.Join(errs, ", "))}
	}
	objs, err := parseYAML(o.YAML)
	if err != nil {
		return nil, &ManifestError{err}
	}
	return objs, nil
}

// Only returns those of the objects that ids lists.
func (o Objects) Only(ids Inventory) (Objects, error) {
	objs, err := o.parse()
	if err != nil {
		return Objects{}, err
	}
	wanted := ids.set()
	var b bytes.Buffer
	for _, u := range objs {
		id := idOf(u).key()
		anywhere := id
		anywhere.Namespace = "" // where a manifest names one for a kind that has none
		if !wanted[id] && !wanted[anywhere] {
			continue
		}
		y, err := kubeyaml.Marshal(u.Object)
		if err != nil {
			return Objects{}, &ManifestError{fmt.Errorf("%s: %w", idOf(u), err)}
		}
		b.WriteString("---\n")
		b.Write(y)
	}
	o.YAML = b.Bytes()
	return o, nil
}

// parseYAML reads the stream as the factory did.
func parseYAML(stream []byte) ([]*unstructured.Unstructured, error) {
	var objs []*unstructured.Unstructured
	err := kubeyaml.Each("", stream, func(o kubeyaml.Object) error {
		objs = append(objs, &unstructured.Unstructured{Object: o.Fields})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return objs, nil
}

// encodeSecret writes a Secret's stringData as data, as the server does. Keys that are sent as data have an owner, so that they
// go when a later release has them no more.
func encodeSecret(u *unstructured.Unstructured) {
	if !utils.IsSecret(u) {
		return
	}
	plain, ok := u.Object["stringData"].(map[string]any)
	data, has := u.Object["data"].(map[string]any)
	if !ok || u.Object["data"] != nil && !has {
		return
	}
	encoded := maps.Clone(data)
	if encoded == nil {
		encoded = map[string]any{}
	}
	for k, v := range plain {
		text, ok := v.(string)
		if !ok {
			return // the server says what is wrong with it
		}
		encoded[k] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	delete(u.Object, "stringData")
	if len(encoded) > 0 {
		u.Object["data"] = encoded
	}
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
	resource   string   // the kind's name in URLs
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
	d.resource, _, _ = unstructured.NestedString(crd.Object, "spec", "names", "plural")
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
