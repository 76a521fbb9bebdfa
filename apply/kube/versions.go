package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// keepVersions puts a kind back of which objects are stored in a version that it did not have: that version stays beside its
// own, as the server demands. handled is false if this is not what is in the way.
func (r *restoration) keepVersions(ctx context.Context, it *item, live *unstructured.Unstructured, refused error) (handled bool, err error) {
	if !utils.IsCRD(it.want) || !slices.ContainsFunc(fieldsOf(refused), func(f string) bool { return strings.HasPrefix(f, "status.storedVersions") }) {
		return false, nil
	}
	stored, _, _ := unstructured.NestedStringSlice(live.Object, "status", "storedVersions")
	versions, _, _ := unstructured.NestedSlice(it.want.Object, "spec", "versions")
	have := versionNames(versions)
	now, _, _ := unstructured.NestedSlice(live.Object, "spec", "versions")
	var kept []string
	for _, v := range now {
		m, ok := v.(map[string]any)
		name, _ := m["name"].(string)
		if !ok || !slices.Contains(stored, name) || slices.Contains(have, name) {
			continue
		}
		m["storage"] = false
		versions, kept = append(versions, m), append(kept, name)
	}
	part := it.want.DeepCopy()
	if err := unstructured.SetNestedSlice(part.Object, versions, "spec", "versions"); err != nil {
		return true, err
	}
	after, err := r.c.try(ctx, part)
	if err == nil && !sameContent(live, after) {
		err = r.c.send(ctx, part)
		r.unblocks()
	}
	if err != nil {
		return true, err
	}
	return true, &leftError{fmt.Sprintf("the version %s stays, as objects are stored in it; all else is put back", strings.Join(kept, ", "))}
}

func versionNames(versions []any) []string {
	var names []string
	for _, v := range versions {
		m, _ := v.(map[string]any)
		name, _ := m["name"].(string)
		names = append(names, name)
	}
	return names
}

// upToDate returns who owns what of a live object, without versions in the way that its kind has no longer, or in which it
// cannot be written down: what we own is ours under any version, and what others own under one that is gone is nobody's. nil if
// nothing of that kind is there.
func (c *Cluster) upToDate(live *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	now := live.GroupVersionKind()
	var out []metav1.ManagedFieldsEntry
	changed := false
	for _, f := range live.GetManagedFields() {
		gv, err := schema.ParseGroupVersion(f.APIVersion)
		switch {
		case err != nil || gv.Group != now.Group || gv.Version == now.Version:
		case isOurApply(f):
			f.APIVersion, changed = live.GetAPIVersion(), true
		case !c.knows(gv.WithKind(now.Kind)):
			changed = true
			continue
		}
		out = append(out, f)
	}
	if !changed {
		return nil
	}
	return out
}

// isVersions tells of an object that the server cannot write down in a version in which somebody owns fields of it.
func isVersions(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed to convert") && strings.Contains(err.Error(), "not declared in schema")
}
