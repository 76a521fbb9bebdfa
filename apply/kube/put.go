package kube

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// put makes the live object be like to, in one write, and then takes what the release wants of it as our own. An object that
// has changed since it was looked at is refused as a conflict.
func (c *Cluster) put(ctx context.Context, want, live, to *unstructured.Unstructured) error {
	if err := c.update(ctx, live, to); err != nil {
		return err
	}
	return c.claim(ctx, want, live)
}

// update replaces the live object, or asks what would become of it.
func (c *Cluster) update(ctx context.Context, live, to *unstructured.Unstructured, more ...client.UpdateOption) error {
	if current := c.upToDate(to); current != nil {
		to = to.DeepCopy()
		to.SetManagedFields(current)
	}
	return c.replace(ctx, live, to, more...)
}

// replace replaces the live object, and who owns what of it, or asks what would become of it.
func (c *Cluster) replace(ctx context.Context, live, to *unstructured.Unstructured, more ...client.UpdateOption) error {
	u := to.DeepCopy()
	u.SetResourceVersion(live.GetResourceVersion())
	u.SetUID(live.GetUID())
	return c.client.Update(ctx, u, append([]client.UpdateOption{client.FieldOwner(FieldManager)}, more...)...)
}

// claim takes an object's fields as our own, which changes nothing else, after a write that was no server-side apply: fields
// held by such a write would stay when a later release no longer has them. before is the object as it was before that write.
func (c *Cluster) claim(ctx context.Context, want, before *unstructured.Unstructured) error {
	after := want.DeepCopy()
	if err := c.send(ctx, after); err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(after.GetManagedFields()), isPlainWrite)
	if before != nil { // admission leaves such an entry, too
		kept = append(kept, slices.DeleteFunc(slices.Clone(before.GetManagedFields()), func(f metav1.ManagedFieldsEntry) bool { return !isPlainWrite(f) })...)
	}
	if len(kept) == len(after.GetManagedFields()) {
		return nil
	}
	return c.setManagers(ctx, after, kept)
}

// isPlainWrite tells the entry of a write of ours that was no server-side apply.
func isPlainWrite(f metav1.ManagedFieldsEntry) bool {
	return f.Manager == FieldManager && f.Operation == metav1.ManagedFieldsOperationUpdate && f.Subresource == ""
}

// setManagers replaces who owns what, which changes nothing else of an object.
func (c *Cluster) setManagers(ctx context.Context, u *unstructured.Unstructured, to []metav1.ManagedFieldsEntry) error {
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": to},
		{"op": "test", "path": "/metadata/resourceVersion", "value": u.GetResourceVersion()},
	})
	if err != nil {
		return err
	}
	return c.client.Patch(ctx, u.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager))
}

// asNew asks what the server would make of an object if it were new, under another name. Its managed fields tell what of it
// the release sets.
func (c *Cluster) asNew(ctx context.Context, want *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	const most = 40 // of the name, of which some kinds take no more than 52 or 63 bytes
	var random [5]byte
	_, _ = rand.Read(random[:]) // never fails
	u := want.DeepCopy()
	name := strings.TrimRight(fmt.Sprintf("%.*s", most, want.GetName()), "-.")
	u.SetName(name + "-" + hex.EncodeToString(random[:]))
	if u.GetKind() == "Service" { // they are taken, by the object itself
		for _, field := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
			if ip, _, _ := unstructured.NestedString(u.Object, "spec", field); ip != "None" {
				unstructured.RemoveNestedField(u.Object, "spec", field)
			}
		}
		ports, _, _ := unstructured.NestedSlice(u.Object, "spec", "ports")
		for _, p := range ports {
			if m, ok := p.(map[string]any); ok {
				delete(m, "nodePort")
			}
		}
		if ports != nil {
			_ = unstructured.SetNestedSlice(u.Object, ports, "spec", "ports") // spec is an object: it has ports
		}
	}
	err := c.send(ctx, u, client.DryRunAll)
	forgetChance(u)
	return u, err
}
