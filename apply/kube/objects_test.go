package kube

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseObjects(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		want       []string
		err        string
	}{
		{"nothing", "", nil, ""},
		{"only comments", "# a\n---\n# b\n---\n", nil, ""},
		{"two and an empty one", configMap("shop", "a", "x") + "---\n" + configMap("shop", "b", "x"), []string{"ConfigMap shop/a", "ConfigMap shop/b"}, ""},
		{"JSON", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`, []string{"Namespace shop"}, ""},
		{"list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n", []string{"Secret s"}, ""},
		{"nameless in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n", nil, "line 4: Secret has no name"},
		{"not an object", "- a\n- b\n", nil, "line 1: this is no Kubernetes object"},
		{"broken", configMap("shop", "a", "x") + "---\n{\n", nil, "this is not valid YAML"},
		{"key twice", "apiVersion: v1\nkind: Secret\nkind: Secret\n", nil, `the key "kind" is already set on line 2`},
		{"no kind", "apiVersion: v1\nmetadata: {name: a}\n", nil, "it has no apiVersion or no kind"},
		{"no version", "kind: Secret\nmetadata: {name: a}\n", nil, "it has no apiVersion or no kind"},
		{"bad version", "apiVersion: a/b/c\nkind: Secret\nmetadata: {name: a}\n", nil, `the apiVersion "a/b/c", which is not one`},
		{"no name", "apiVersion: v1\nkind: Secret\n", nil, "Secret has no name"},
		{"made-up names", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: p-}\n", nil, "generateName"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objs, err := objects("%s", tt.yaml).parse()
			if tt.err != "" {
				var m *ManifestError
				if !errors.As(err, &m) || m.Reason() != "manifest" || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			var got []string
			for _, u := range objs {
				got = append(got, idOf(u).String())
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	for _, name := range []string{"", "has space", strings.Repeat("x", 64)} {
		if _, err := (Objects{Release: name}).parse(); err == nil {
			t.Errorf("the release name %q was accepted", name)
		}
	}
}

func FuzzParseObjects(f *testing.F) {
	f.Add([]byte(configMap("shop", "a", "x") + namespace("shop")))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems: [{}]\n"))
	f.Add([]byte(crd("g", "Widget", "size")))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		objs, err := Objects{Release: "store", YAML: b}.parse()
		if err != nil {
			return
		}
		definitions(objs)
		for _, u := range objs {
			if u.GetName() == "" || u.GetKind() == "" || u.GetAPIVersion() == "" {
				t.Errorf("accepted %v", u)
			}
			stageOf(u)
			differences(u, objs[0])
		}
	})
}

func TestOrder(t *testing.T) {
	want := objects("%s", crd("g", "Widget")+custom("g", "Widget", "shop", "w", "")+configMap("shop", "c", "x")+namespace("shop")+
		"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s, namespace: shop}\n")
	objs, err := want.parse()
	if err != nil {
		t.Fatal(err)
	}
	inv := inventoryOf(objs)
	var got []string
	custom, rest := backwards(inv)
	for _, id := range slices.Concat(custom, rest) {
		got = append(got, id.Kind)
	}
	if s := strings.Join(got, " "); s != "Widget ConfigMap ServiceAccount CustomResourceDefinition Namespace" {
		t.Errorf("prune goes %s", s)
	}
}
