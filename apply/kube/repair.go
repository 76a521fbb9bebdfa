package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Repaired is what Repair could do.
type Repaired struct {
	Changes []Change // what was done, object by object
	// Left are the objects that still differ, each a Conflict whose Note says why.
	Left []Change
}

// repairs is how often an object is put right that others write at the same time.
const repairs = 3

// Repair puts right what Drift tells of, object by object: what is missing comes back, fields get their values, and what
// people have added goes. What controllers have written stays. The error is the target's, not an object's.
func (c *Cluster) Repair(ctx context.Context, want Objects) (*Repaired, error) {
	p, err := c.newPlan(ctx, want, Inventory{})
	if err != nil {
		return nil, err
	}
	d := drifter{Cluster: c, release: p.release}
	r := &Repaired{}
	for s, items := range p.stages {
		found, err := d.lookAtAll(ctx, items)
		if err != nil {
			return r, err
		}
		var mended []*item
		for i, it := range items {
			if found[i] == nil {
				continue
			}
			if err := d.mend(ctx, it); err != nil {
				return r, err
			}
			if it.change.Action == Conflict {
				r.Left = append(r.Left, it.change)
				continue
			}
			r.Changes, mended = append(r.Changes, it.change), append(mended, it)
		}
		if stage(s) == stageDefinitions {
			if err := c.established(ctx, mended); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// mend puts one object right, and notes in the item what was done.
func (d *drifter) mend(ctx context.Context, it *item) error {
	it.change.Action = Unchanged
	before := (*unstructured.Unstructured)(nil)
	for range repairs {
		live, err := d.read(ctx, it.change.ID)
		if err != nil {
			return err
		}
		if before == nil {
			before = live
		}
		m, err := d.look(ctx, it.want, live)
		switch {
		case err != nil:
			return err
		case m == nil:
			it.change.Note = stays(live)
			return nil
		case m.lost:
			it.change.Action, it.change.Note = Conflict, m.Note
			return nil
		}
		after, err := d.putRight(ctx, it, m, live)
		var refused *RefusedError
		switch {
		case errors.As(err, &refused):
			it.change.Action, it.change.Note = Conflict, refused.Refused[0].Note
			return nil
		case err == nil:
			it.change.Action = Created
			if before != nil && after != nil {
				it.change.Action, it.change.Fields = Configured, differences(before, after)
			}
			it.change.Note = stays(after)
			return nil
		case !apierrors.IsConflict(err):
			return d.failed("put "+it.change.ID.String()+" right", err)
		}
	}
	it.change.Action, it.change.Note = Conflict, "somebody writes it at the same time, again and again"
	return nil
}

// putRight returns the object as it is then; nil if nobody has looked.
func (d *drifter) putRight(ctx context.Context, it *item, m *mending, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if live != nil && live.GetDeletionTimestamp() != nil {
		if err := d.waitGone(ctx, live, d.settled()); err != nil {
			return nil, err
		}
		live = nil
	}
	after, err := d.sendPatiently(ctx, m.apply, live == nil)
	if live != nil && !holdsData(live) && isImmutable(err) && (enabled(it.want, ForceAnnotation) || enabled(live, ForceAnnotation)) {
		if err := d.remove(ctx, live); err != nil {
			return nil, err
		}
		after, err = d.sendPatiently(ctx, m.apply, true)
	}
	if note, fields, ok := refusal(err); ok && !apierrors.IsConflict(err) {
		return nil, &RefusedError{Target: d.String(), Refused: []Change{{ID: it.change.ID, Action: Conflict, Note: note, Fields: fields}}}
	}
	if err != nil || !m.take {
		return after, err
	}
	right := after.DeepCopy()
	if !strip(right, managersOf(after), m.scaled) {
		return after, nil
	}
	err = d.client.Patch(ctx, right, client.MergeFromWithOptions(after, client.MergeFromWithOptimisticLock{}), client.FieldOwner(FieldManager))
	if note, fields, ok := refusal(err); ok && !apierrors.IsConflict(err) {
		return nil, &RefusedError{Target: d.String(), Refused: []Change{{ID: it.change.ID, Action: Conflict, Note: note, Fields: fields}}}
	}
	return right, err
}

// sendPatiently applies an object. A new one may need what has come a moment ago.
func (d *drifter) sendPatiently(ctx context.Context, want *unstructured.Unstructured, isNew bool) (*unstructured.Unstructured, error) {
	end := time.Now().Add(lagTime)
	for {
		if err := d.learnKinds(ctx, []*unstructured.Unstructured{want}); err != nil {
			return nil, err
		}
		after := want.DeepCopy()
		err := d.send(ctx, after)
		if err == nil || !isNew || !isLag(err) || time.Now().After(end) {
			return after, err
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
}

// stays tells what controllers own of an object beside us. Nothing of it was taken away.
func stays(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	all := managersOf(live)
	own := ownedBy(all, us)
	const most = 5
	var paths []string
	for _, o := range all {
		if o.party != programs {
			continue
		}
		fields := maps.Clone(o.fields)
		delete(fields, "f:metadata")
		delete(fields, "f:status")
		for _, path := range leaves(fields, own, "") {
			paths = append(paths, fmt.Sprintf("%s (%s)", path, o.name))
		}
	}
	if len(paths) == 0 {
		return ""
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if over := len(paths) - most; over > 0 {
		paths = append(paths[:most], fmt.Sprintf("%d more", over))
	}
	return "stays, for it is a controller's: " + strings.Join(paths, ", ")
}

// leaves are the paths of what a set has beside another.
func leaves(s, beside fieldSet, path string) (paths []string) {
	for _, k := range slices.Sorted(maps.Keys(s)) {
		kind, name, _ := strings.Cut(k, ":")
		at, other := s.at(k), beside.at(k)
		switch {
		case kind == "k":
			name = "[" + keyName(name) + "]"
		case kind != "f":
			continue
		}
		switch {
		case len(at) > 0:
			paths = append(paths, leaves(at, other, join(path, name))...)
		case other == nil:
			paths = append(paths, join(path, name))
		}
	}
	return paths
}

// keyName is what an item of a list is called in paths: by its key, as in those of differences.
func keyName(keys string) string {
	var m map[string]any
	if json.Unmarshal([]byte(keys), &m) != nil {
		return "?"
	}
	for _, k := range itemKeys {
		if v, ok := m[k]; ok {
			return fmt.Sprint(v)
		}
	}
	return keys
}
