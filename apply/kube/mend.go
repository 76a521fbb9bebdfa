package kube

import (
	"context"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mend finds out whether an object that the server refuses to apply is accepted without what the server once filled in and
// nobody owns, as a Deployment is that goes to the strategy Recreate. What others own stays, but for what stands in the way.
func (c *Cluster) mend(ctx context.Context, it *item, live *unstructured.Unstructured, refused error) bool {
	if live == nil || (!apierrors.IsInvalid(refused) || isImmutable(refused)) && !isVersions(refused) {
		return false
	}
	return c.askMended(ctx, it, live)
}

// losesEmpty tells whether an apply loses fields that the release sets without anything in them.
func losesEmpty(want, live, after *unstructured.Unstructured) bool {
	_, claim := claimOf(after)
	return withEmpty(after.DeepCopy().Object, live.Object, want.Object, claim)
}

// askMended makes the item one that is written as a whole, if it is accepted so.
func (c *Cluster) askMended(ctx context.Context, it *item, live *unstructured.Unstructured) bool {
	to, note := c.mended(ctx, it.want, live, &expectation{})
	if to == nil || sameContent(live, to) {
		return false
	}
	it.mended = true
	it.change.Action, it.change.Fields, it.change.OneWay = Configured, differences(live, to), oneWay(live, to)
	it.change.Note = strings.Trim(it.change.Note+", "+note, ", ")
	return true
}

// applyMended writes such an object, as it is now: others may write to it, too.
func (c *Cluster) applyMended(ctx context.Context, it *item) error {
	const tries = 5
	for n := 1; ; n++ {
		live, err := c.get(ctx, it.change.ID)
		if err == nil && live == nil {
			err = c.send(ctx, it.want.DeepCopy())
		} else if err == nil {
			err = c.putMended(ctx, it, live)
		}
		switch {
		case err == nil:
			return nil
		case n == tries || !apierrors.IsConflict(err):
			return c.notApplied(it, err)
		}
	}
}

func (c *Cluster) putMended(ctx context.Context, it *item, live *unstructured.Unstructured) error {
	to, _ := c.mended(ctx, it.want, live, &expectation{})
	if to == nil { // nothing is in the way any more, or something else is
		return c.send(ctx, it.want.DeepCopy())
	}
	return c.put(ctx, it.want, live, to)
}

// mended returns what an object that the server refuses to apply is to be instead, if it is accepted so: without what the
// server once filled in, what else the expectation lets go, and what others have put beside fields that it makes invalid. nil
// if that is not what is in the way.
func (c *Cluster) mended(ctx context.Context, want, live *unstructured.Unstructured, e *expectation) (to *unstructured.Unstructured, note string) {
	full, err := c.asNew(ctx, want)
	if err != nil {
		return nil, ""
	}
	_, claim := claimOf(full)
	e.claim = withoutNulls(claim, full.Object)
	if e.full == nil {
		e.full = full
	}
	merged := live.DeepCopy()
	merged.Object, _ = overlay(merged.Object, full.Object, e.claim).(map[string]any)
	from := takeFromDeployers(live, merged, e.claim)
	if from != "" { // an object without any manager would get one that has all of it
		merged.SetManagedFields(append(merged.GetManagedFields(), full.GetManagedFields()...))
	}
	owners := ownersOf(merged)
	for _, o := range owners {
		if o.ours {
			takeBack(merged.Object, o.fields, e.claim, owners)
		}
	}
	to = e.settle(merged, owners)
	if err := c.update(ctx, live, to, client.DryRunAll); err != nil {
		if to = c.withoutBeside(ctx, live, to, e, err); to == nil {
			return nil, ""
		}
	}
	if from != "" {
		from = "with the fields of " + from
	}
	return to, strings.Trim(from+", "+e.note(), ", ")
}

// withoutNulls leaves out of a claim the fields that the release sets to null and that therefore are not there.
func withoutNulls(claim owned, have map[string]any) owned {
	out := maps.Clone(claim)
	for name := range claim {
		field, ok := strings.CutPrefix(name, "f:")
		if !ok {
			continue
		}
		v, there := have[field]
		sub, _ := claim.under(name)
		m, isMap := v.(map[string]any)
		switch {
		case !there:
			delete(out, name)
		case isMap && len(sub) > 0:
			out[name] = map[string]any(withoutNulls(sub, m))
		}
	}
	return out
}

// overlay puts what the claim names of from into have.
func overlay(have, from any, claim owned) any {
	if len(claim) == 0 {
		return from
	}
	switch f := from.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			h = map[string]any{}
		}
		for name, v := range f {
			if sub, wanted := claim.under("f:" + name); wanted && name != "managedFields" {
				h[name] = overlay(h[name], v, sub)
			}
		}
		return h
	case []any:
		h, _ := have.([]any)
		keys := listKeys(claim)
		if keys == nil {
			return overlaySet(h, f)
		}
		return overlayItems(h, f, keys, claim)
	}
	return from
}

func overlayItems(have, from []any, keys []string, claim owned) any {
	out := slices.Clone(have)
	for _, item := range from {
		name := itemName(item, keys)
		sub, wanted := claim.under(name)
		if !wanted {
			continue
		}
		i := slices.IndexFunc(out, func(o any) bool { return itemName(o, keys) == name })
		if i < 0 {
			out = append(out, item)
			continue
		}
		out[i] = overlay(out[i], item, sub)
	}
	return out
}

// overlaySet adds the values of a list whose items are values.
func overlaySet(have, from []any) any {
	out := slices.Clone(have)
	for _, v := range from {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// takeBack removes from an object what we own of it and no longer want.
func takeBack(have map[string]any, ours, claim owned, owners []owner) {
	for name := range have {
		sub, mine := ours.under("f:" + name)
		if !mine || name == "managedFields" {
			continue
		}
		wanted, still := claim.under("f:" + name)
		others := under(owners, "f:"+name)
		switch v := have[name].(type) {
		case map[string]any:
			if still {
				takeBack(v, sub, wanted, others)
				continue
			}
		case []any:
			if keys := listKeys(sub); keys != nil {
				have[name] = takeBackItems(v, keys, sub, wanted, others)
				continue
			}
		}
		if !still && len(others) == 1 {
			delete(have, name)
		}
	}
}

func takeBackItems(have []any, keys []string, ours, claim owned, owners []owner) any {
	out := make([]any, 0, len(have))
	for _, item := range have {
		name := itemName(item, keys)
		sub, mine := ours.under(name)
		wanted, still := claim.under(name)
		others := under(owners, name)
		if mine && !still && len(others) == 1 {
			continue
		}
		if m, ok := item.(map[string]any); ok && mine && still {
			key := maps.Clone(m)
			maps.DeleteFunc(key, func(field string, _ any) bool { return !slices.Contains(keys, field) })
			takeBack(m, sub, wanted, others)
			maps.Copy(m, key) // by which the release's item is known, though it may leave out what is the default
		}
		out = append(out, item)
	}
	return out
}

// withEmpty puts into have, which is what an apply makes of live, the fields that the release sets without anything in them,
// as in emptyDir: {}. Where there was something in them, a server-side apply takes the field away with it. It tells whether
// any was missing.
func withEmpty(have, live, want any, claim owned) (missing bool) {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		l, was := live.(map[string]any)
		if !ok || !was {
			return false
		}
		for name, v := range w {
			sub, _ := claim.under("f:" + name)
			m, isMap := v.(map[string]any)
			_, there := h[name]
			if !there && isMap && len(m) == 0 && l[name] != nil {
				h[name], missing = map[string]any{}, true
				continue
			}
			missing = withEmpty(h[name], l[name], v, sub) || missing
		}
	case []any:
		h, _ := have.([]any)
		l, _ := live.([]any)
		keys := listKeys(claim)
		for _, item := range w {
			i := slices.IndexFunc(h, func(o any) bool { return keys != nil && sameKeys(o, item, keys) })
			j := slices.IndexFunc(l, func(o any) bool { return keys != nil && sameKeys(o, item, keys) })
			if i < 0 || j < 0 {
				continue
			}
			sub, _ := claim.under(itemName(h[i], keys))
			missing = withEmpty(h[i], l[j], item, sub) || missing
		}
	}
	return missing
}

// sameKeys tells whether an item of the release is that of the server, which fills in keys that are left out.
func sameKeys(have, want any, keys []string) bool {
	h, _ := have.(map[string]any)
	w, _ := want.(map[string]any)
	return !slices.ContainsFunc(keys, func(k string) bool { return w[k] != nil && !sameScalar(w[k], h[k]) })
}
