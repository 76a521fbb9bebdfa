package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// holdsData tells of objects with which data would go, so that none of them is ever deleted to be created again.
func holdsData(u *unstructured.Unstructured) bool {
	return utils.IsNamespace(u) || utils.IsCRD(u) ||
		u.GetAPIVersion() == "v1" && slices.Contains([]string{"PersistentVolumeClaim", "PersistentVolume"}, u.GetKind())
}

// recreate deletes an object of which something cannot be changed, and creates it as it was. Nothing is deleted unless the
// server would take the new object.
func (r *restoration) recreate(ctx context.Context, it *item, live *unstructured.Unstructured, refused error) error {
	if _, err := r.c.asNew(ctx, it.want); err != nil {
		return &leftError{fmt.Sprintf("%s; and a new one would be refused: %s", noteOf(refused), noteOf(err))}
	}
	note, _, _ := refusal(refused)
	it.change.Action, it.change.Note = Recreated, note
	if err := r.c.remove(ctx, live); err != nil {
		return err
	}
	return r.create(ctx, it)
}

// create makes an object that is not there: as it was, if that is known and accepted, with the addresses and ports that the
// server had drawn for it and with what others had added.
func (r *restoration) create(ctx context.Context, it *item) error {
	was := r.before.object(it.change.ID)
	if was == nil || was.GetLabels()[OwnerLabel] == "" || was.GetKind() == "Pod" || was.GetKind() == "Job" { // whose places are drawn anew
		return r.c.send(ctx, it.want.DeepCopy())
	}
	if err := r.c.client.Create(ctx, asWritten(was), client.FieldOwner(FieldManager)); err != nil {
		return r.c.send(ctx, it.want.DeepCopy())
	}
	after := it.want.DeepCopy()
	if err := r.c.send(ctx, after); err != nil {
		return err
	}
	return r.c.setManagers(ctx, after, was.GetManagedFields())
}

// remove deletes an object that is to be created again, and waits until it is gone.
func (c *Cluster) remove(ctx context.Context, live *unstructured.Unstructured) error {
	if err := c.delete(ctx, live, propagation(live)); err != nil {
		return err
	}
	return c.waitGone(ctx, live, c.settled())
}

// propagation is what becomes of an object's dependents: the Pods and claims of a StatefulSet stay, for the one that is
// created in its place.
func propagation(u *unstructured.Unstructured) client.PropagationPolicy {
	if u.GetKind() == "StatefulSet" {
		return client.PropagationPolicy(metav1.DeletePropagationOrphan)
	}
	return client.PropagationPolicy(metav1.DeletePropagationBackground)
}

// inPart puts back of an object what can be changed, and says what cannot.
func (r *restoration) inPart(ctx context.Context, it *item, live *unstructured.Unstructured, refused error) error {
	const most = 5 // rounds: the server does not name all fields at once
	part := it.want.DeepCopy()
	for err := refused; ; {
		stays := fieldsOf(err)
		if len(stays) == 0 || len(stays) > most {
			return refused
		}
		for _, path := range stays {
			if !leave(part.Object, live.Object, strings.Split(path, ".")) {
				return refused
			}
		}
		after, next := r.c.try(ctx, part)
		if next == nil {
			if !sameContent(live, after) {
				next = r.c.send(ctx, part)
			}
			if next == nil {
				return &leftError{noteOf(refused) + "; all else is put back"}
			}
		}
		if err = next; slices.Equal(fieldsOf(err), stays) {
			return refused
		}
	}
}

// fieldsOf lists the fields that the server names in an error.
func fieldsOf(err error) []string {
	names, _ := causesOf(err)
	return names
}

// causesOf lists the fields that the server names in an error, and what it says of each.
func causesOf(err error) (names, texts []string) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil, nil
	}
	return causes(status.Status())
}

// leave gives a field the value that the live object has. It tells whether that can be done.
func leave(want, live map[string]any, path []string) bool {
	for ; len(path) > 1; path = path[1:] {
		w, ok := want[path[0]].(map[string]any)
		l, there := live[path[0]].(map[string]any)
		if !ok || !there {
			return false
		}
		want, live = w, l
	}
	v, there := live[path[0]]
	if !there {
		delete(want, path[0])
		return true
	}
	want[path[0]] = v
	return true
}
