package kube

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const revisionOfPod = "controller-revision-hash"

// Unstuck is what Unstick did.
type Unstuck struct {
	Deleted []Change // Pods, with the reason in Note
	// More tells that something is left to be done which cannot be done yet: ask again.
	More bool
}

// Unstick helps ordered StatefulSets of the release whose template was put back, or mended. Their controller waits until a
// broken Pod of another template is ready before it replaces it, which is for ever. Of each such StatefulSet it deletes the
// one Pod with the highest ordinal that is not ready and of another revision than the StatefulSet's present one, and none
// while another is still going. A Pod that is ready is never deleted.
//
// With crashed set, only Pods of which a container has ended or cannot be started are deleted: for a release that ran
// nowhere before, a Pod of the former one that is only slow is nothing to be got rid of.
func (c *Cluster) Unstick(ctx context.Context, want Objects, crashed bool) (done Unstuck, err error) {
	objs, err := want.parse()
	if err != nil {
		return done, err
	}
	objs = slices.DeleteFunc(objs, func(u *unstructured.Unstructured) bool { return !isOrdered(u) })
	if len(objs) == 0 {
		return done, nil
	}
	if err := c.learnPods(ctx); err != nil {
		return done, c.failed("tell what it knows of pods", err)
	}
	for _, u := range objs {
		c.settleNamespace(u, nil)
		if err := c.unstick(ctx, idOf(u), crashed, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

// isOrdered tells whether a StatefulSet waits for each Pod before it goes on to the next.
func isOrdered(u *unstructured.Unstructured) bool {
	policy, _, _ := unstructured.NestedString(u.Object, "spec", "podManagementPolicy")
	return u.GetKind() == "StatefulSet" && u.GroupVersionKind().Group == "apps" && (policy == "" || policy == "OrderedReady")
}

func (c *Cluster) unstick(ctx context.Context, id ID, crashed bool, done *Unstuck) error {
	set, err := c.get(ctx, id)
	if err != nil {
		return c.failed("look at "+id.String(), err)
	}
	if set == nil || set.GetDeletionTimestamp() != nil {
		return nil
	}
	if !observed(set) { // its revision is that of the template before
		done.More = true
		return nil
	}
	revision, _, _ := unstructured.NestedString(set.Object, "status", "updateRevision")
	pods, err := c.setPods(ctx, set)
	if err != nil {
		return c.failed("list the pods of "+id.String(), err)
	}
	broken := slices.DeleteFunc(slices.Clone(pods), func(p pod) bool {
		return p.DeletionTimestamp != nil || p.finished() || p.isReady() || revision == "" || p.Labels[revisionOfPod] == revision ||
			crashed && trouble(&p) == ""
	})
	if len(broken) == 0 {
		return nil
	}
	done.More = true
	if slices.ContainsFunc(pods, func(p pod) bool { return p.DeletionTimestamp != nil }) {
		return nil // one at a time
	}
	worst := slices.MaxFunc(broken, func(a, b pod) int { return cmp.Compare(ordinal(&a), ordinal(&b)) })
	return c.deletePod(ctx, &worst, id, done)
}

// setPods lists all pods of a StatefulSet, those on their way out included.
func (c *Cluster) setPods(ctx context.Context, set *unstructured.Unstructured) (pods []pod, err error) {
	sel, err := selector(set)
	if err != nil || sel.Empty() {
		return nil, err
	}
	owner := []types.UID{set.GetUID()}
	err = c.list(ctx, "v1", "PodList", func(u *unstructured.Unstructured, now time.Time) error {
		if !controlled(u, owner) {
			return nil
		}
		p, err := newPod(u, now)
		pods = append(pods, p)
		return err
	}, client.InNamespace(set.GetNamespace()), client.MatchingLabelsSelector{Selector: sel})
	return pods, err
}

// ordinal is the number at the end of the name of a StatefulSet's pod.
func ordinal(p *pod) int {
	n, err := strconv.Atoi(p.Name[strings.LastIndex(p.Name, "-")+1:])
	if err != nil {
		return -1
	}
	return n
}

// deletePod deletes the very pod that was looked at, unless anything about it has changed since: it may be ready now.
func (c *Cluster) deletePod(ctx context.Context, p *pod, set ID, done *Unstuck) error {
	id := ID{Version: "v1", Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
	err := c.client.Delete(ctx, id.object(), client.Preconditions{UID: &p.UID, ResourceVersion: &p.ResourceVersion})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case err != nil:
		return c.failed("delete "+id.String(), err)
	}
	why := cmp.Or(trouble(p), "it is not ready")
	done.Deleted = append(done.Deleted, Change{ID: id, Action: Recreated,
		Note: describe("%s waits for it, and it is of another template: %s", set, why)})
	return nil
}
