package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxNarrowed is how many fields of one kind are looked for in its objects.
const maxNarrowed = 200

// fieldPath leads to a field of an object; "[]" stands for each item of a list, "*" for each value of a map, and "?" for
// any field that the schema does not name.
type fieldPath []string

func (p fieldPath) String() string {
	return strings.ReplaceAll(strings.Join(p, "."), ".[]", "[]")
}

// narrowing is what a version of a kind no longer keeps.
type narrowing struct {
	version string
	fields  []fieldPath
}

// narrowed lists the fields that the live definition keeps and the new one drops from every object that is read.
func narrowed(live, after *unstructured.Unstructured) (out []narrowing) {
	had, has := versionsOf(live), versionsOf(after)
	for _, name := range slices.Sorted(maps.Keys(had)) {
		if has[name] == nil {
			continue
		}
		s := schemas{}
		s.compare(nil, schemaOf(had[name]), schemaOf(has[name]))
		if len(s.lost) > 0 {
			out = append(out, narrowing{name, s.lost})
		}
	}
	return out
}

func schemaOf(version map[string]any) map[string]any {
	s, _, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema")
	return s
}

// schemas compares two structural schemas.
type schemas struct{ lost []fieldPath }

func (s *schemas) compare(at fieldPath, had, has map[string]any) {
	if len(s.lost) >= maxNarrowed || had == nil {
		return
	}
	keepsAll := truth(has, "x-kubernetes-preserve-unknown-fields")
	if truth(had, "x-kubernetes-preserve-unknown-fields") && !keepsAll {
		s.lose(at, "?")
	}
	hasMore := child(has, "additionalProperties")
	had2, has2 := child(had, "properties"), child(has, "properties")
	for _, name := range slices.Sorted(maps.Keys(had2)) {
		switch {
		case has2[name] != nil:
			s.compare(with(at, name), child(had2, name), child(has2, name))
		case !keepsAll && has["additionalProperties"] == nil && !(len(at) == 0 && slices.Contains([]string{"apiVersion", "kind", "metadata"}, name)):
			s.lose(at, name)
		}
	}
	switch more := child(had, "additionalProperties"); {
	case had["additionalProperties"] == nil:
	case has["additionalProperties"] == nil && !keepsAll:
		s.lose(at, "?")
	default:
		s.compare(with(at, "*"), more, hasMore)
	}
	if child(has, "items") != nil {
		s.compare(with(at, "[]"), child(had, "items"), child(has, "items"))
	}
}

func (s *schemas) lose(at fieldPath, name string) { s.lost = append(s.lost, with(at, name)) }

func with(at fieldPath, name string) fieldPath { return append(slices.Clone(at), name) }

func child(m map[string]any, key string) map[string]any {
	c, _ := m[key].(map[string]any)
	return c
}

func truth(m map[string]any, key string) bool {
	b, _ := m[key].(bool)
	return b
}

// set tells whether an object has something at a path.
func (p fieldPath) set(v any) bool {
	if len(p) == 0 {
		return v != nil
	}
	switch v := v.(type) {
	case map[string]any:
		if p[0] == "*" || p[0] == "?" {
			return slices.ContainsFunc(slices.Collect(maps.Values(v)), p[1:].set)
		}
		inner, ok := v[p[0]]
		return ok && p[1:].set(inner)
	case []any:
		return p[0] == "[]" && slices.ContainsFunc(v, p[1:].set)
	}
	return false
}

// errFound ends a look through objects.
var errFound = errors.New("found")

// prunedAway names an object, not of this release, that holds a field which the new definition drops. What the release's
// own objects lose comes back with the former release.
func (c *Cluster) prunedAway(ctx context.Context, p *plan, it *item) (why string, err error) {
	gk, _ := definitionOf(it.want)
	for _, n := range it.narrowed {
		err := c.eachOf(ctx, gk.WithVersion(n.version), func(u *unstructured.Unstructured) error {
			if u.GetLabels()[OwnerLabel] == p.release {
				return nil
			}
			for _, field := range n.fields {
				if field.set(u.Object) {
					why = fmt.Sprintf("its new schema has no %s, which %s holds and would lose", field, idOf(u))
					return errFound
				}
			}
			return nil
		})
		switch {
		case errors.Is(err, errFound):
			return why, nil
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		case err != nil && ctx.Err() != nil:
			return "", err
		case err != nil: // nobody can tell, which is no reason to believe that there are none
			return fmt.Sprintf("its new schema has no %s, and its objects cannot be read: %s", n.fields[0], tidy(err.Error())), nil
		}
	}
	return "", nil
}

// eachOf reads all objects of a kind, page by page.
func (c *Cluster) eachOf(ctx context.Context, gvk schema.GroupVersionKind, use func(*unstructured.Unstructured) error) error {
	if !c.knows(gvk) {
		if err := c.learn(ctx, gvk.GroupVersion()); err != nil {
			return err
		}
	}
	for next := ""; ; {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := c.client.List(ctx, list, client.Limit(listPage), client.Continue(next)); err != nil {
			return err
		}
		for i := range list.Items {
			if err := use(&list.Items[i]); err != nil {
				return err
			}
		}
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}
