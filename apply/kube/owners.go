package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// owned is a tree of the fields that a manager owns, as the server writes it down: f:NAME for the fields of an object,
// k:{KEYS} and v:VALUE for the items of a list, "." for the field or item itself. A field without branches is owned whole.
type owned map[string]any

func (f owned) under(key string) (owned, bool) {
	sub, ok := f[key].(map[string]any)
	return sub, ok
}

// owner is a manager and what it owns, at some place in an object and below it.
type owner struct {
	manager string
	ours    bool // by server-side apply
	fields  owned
}

// ownersOf reads who owns what of an object's content, ours first.
func ownersOf(u *unstructured.Unstructured) []owner {
	var out []owner
	for _, f := range u.GetManagedFields() {
		var tree owned
		if f.FieldsV1 == nil || f.Subresource == "status" || json.Unmarshal(f.FieldsV1.GetRawBytes(), &tree) != nil {
			continue
		}
		out = append(out, owner{f.Manager, isOurApply(f), tree})
	}
	slices.SortStableFunc(out, func(a, b owner) int { return btoi(b.ours) - btoi(a.ours) })
	return out
}

// isOurApply tells the entry of our own server-side apply from all others.
func isOurApply(f metav1.ManagedFieldsEntry) bool {
	return f.Manager == FieldManager && f.Operation == metav1.ManagedFieldsOperationApply && f.Subresource == ""
}

// under returns those who own something at or below a field or an item.
func under(owners []owner, key string) []owner {
	var out []owner
	for _, o := range owners {
		if sub, ok := o.fields.under(key); ok {
			out = append(out, owner{o.manager, o.ours, sub})
		}
	}
	return out
}

// ownersText names managers as a person knows them.
func ownersText(owners []owner) string {
	names := map[string]bool{}
	for _, o := range owners {
		names[o.manager] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

// controllers are the managers that write into objects as part of their work, as against people and the programs that
// people deploy with.
var controllers = regexp.MustCompile(`(?i)controller|operator|scheduler|kubelet|kube-proxy|kube-apiserver|^k3s$|^rke2$|^k0s$|autoscaler|` +
	`cainjector|injector|provisioner|attacher|snapshotter|resizer|^vpa|^pilot|istiod|linkerd|cilium|calico`)

// byController tells whether one of the owners is a controller.
func byController(owners []owner) bool {
	return slices.ContainsFunc(owners, func(o owner) bool { return controllers.MatchString(o.manager) })
}

// listKeys tells by which fields the items of a list are told apart. A list whose items have no keys is one value.
func listKeys(trees ...owned) []string {
	for _, t := range trees {
		for name := range t {
			if key, ok := itemKey(name); ok {
				return slices.Sorted(maps.Keys(key))
			}
		}
	}
	return nil
}

func itemKey(name string) (map[string]any, bool) {
	text, ok := strings.CutPrefix(name, "k:")
	if !ok {
		return nil, false
	}
	var key map[string]any
	return key, json.Unmarshal([]byte(text), &key) == nil
}

// itemName is the name under which owners know an item of a list.
func itemName(item any, keys []string) string {
	m, _ := item.(map[string]any)
	key := map[string]any{}
	for _, k := range keys {
		key[k] = m[k]
	}
	b, err := json.Marshal(key) // sorted by name, as the server writes it
	if err != nil {
		return ""
	}
	return "k:" + string(b)
}

// itemPath is the item's place in a text for people.
func itemPath(path string, item any, keys []string) string {
	m, _ := item.(map[string]any)
	var values []string
	for _, k := range keys {
		values = append(values, fmt.Sprint(m[k]))
	}
	return path + "[" + strings.Join(values, ",") + "]"
}
