package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a workload that leaves holds exclusively, its successor cannot have before it stops: a port of the host, a node
// port of a Service, a volume that one node or one pod may mount. Leases of programs are not seen: who needs one is known
// to the programs alone.

var (
	serviceKind    = schema.GroupKind{Kind: "Service"}
	daemonSetKind  = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	workloadScaled = []schema.GroupKind{{Group: "apps", Kind: "Deployment"}, statefulSetKind, {Group: "apps", Kind: "ReplicaSet"}}
)

// good is something that only one can have, as people name it: "port 8443/TCP of the host".
type good string

// hold is an object that left the release and has what an object of the release needs.
type hold struct {
	holder *unstructured.Unstructured // live
	good   good
	needs  ID
}

func (h hold) String() string {
	how := "scaled to 0"
	switch h.holder.GroupVersionKind().GroupKind() {
	case daemonSetKind:
		how = "stopped on every node"
	case serviceKind:
		how = "closed to the outside"
	}
	return fmt.Sprintf("it is %s first: it holds %s, which %s needs", how, h.good, h.needs)
}

// holds finds what the release needs and objects that leave hold, one for each holder.
func (c *Cluster) holds(ctx context.Context, p *plan, prev Inventory) (found []hold, err error) {
	var leaving []ID
	for _, id := range prev.Minus(p.inventory()).IDs() {
		if mayHold(id.groupKind()) {
			leaving = append(leaving, id)
		}
	}
	if len(leaving) == 0 {
		return nil, nil
	}
	needed, err := c.needed(ctx, p)
	if err != nil || len(needed) == 0 {
		return nil, err
	}
	for _, id := range leaving {
		live, err := c.getAnyVersion(ctx, id)
		switch {
		case isUnreadable(err):
			continue // pruning says so
		case err != nil:
			return nil, c.failed("look at "+id.String(), err)
		case live == nil, live.GetLabels()[OwnerLabel] == "", !written(live), live.GetAnnotations()[PruneAnnotation] == "disabled":
			continue // it is not there, or not ours to stop
		case id.groupKind() == serviceKind && !isNodePort(live):
			continue // a load balancer would lose its address
		}
		for _, g := range goodsOf(live) {
			if by, ok := needed[g]; ok {
				found = append(found, hold{live, g, by})
				break
			}
		}
	}
	return found, nil
}

func mayHold(gk schema.GroupKind) bool {
	return gk == serviceKind || gk == daemonSetKind || slices.Contains(workloadScaled, gk)
}

// needed lists the exclusive goods that the release's objects take, and who takes each.
func (c *Cluster) needed(ctx context.Context, p *plan) (map[good]ID, error) {
	needed, claims := map[good]ID{}, map[ID]*unstructured.Unstructured{}
	for _, it := range p.items() {
		if it.change.groupKind() == claimKind {
			claims[it.change.ID.key()] = it.want
		}
	}
	for _, it := range p.items() {
		for _, g := range goodsOf(it.want) {
			needed[g] = it.change.ID
		}
		for _, claim := range claimsOf(it.want) {
			shared, err := c.isShared(ctx, claims, claim)
			if err != nil {
				return nil, err
			}
			if shared {
				delete(needed, volumeOf(claim))
			}
		}
	}
	return needed, nil
}

// isShared tells of a claim that any number of pods on any node can use. One that is not there is none.
func (c *Cluster) isShared(ctx context.Context, wanted map[ID]*unstructured.Unstructured, claim ID) (bool, error) {
	u := wanted[claim.key()]
	if u == nil {
		var err error
		if u, err = c.getAnyVersion(ctx, claim); err != nil {
			return false, c.failed("look at "+claim.String(), err)
		}
	}
	if u == nil {
		return false, nil
	}
	modes, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "accessModes")
	return slices.Contains(modes, "ReadWriteMany") || slices.Contains(modes, "ReadOnlyMany"), nil
}

// goodsOf lists the exclusive goods that an object takes.
func goodsOf(u *unstructured.Unstructured) (goods []good) {
	gk := u.GroupVersionKind().GroupKind()
	switch {
	case gk == serviceKind:
		for _, port := range objectsAt(u.Object, "spec", "ports") {
			if n, _, _ := unstructured.NestedInt64(port, "nodePort"); n > 0 {
				goods = append(goods, good(fmt.Sprintf("node port %d/%s", n, protocol(port))))
			}
		}
		return goods
	case gk != daemonSetKind && !slices.Contains(workloadScaled, gk):
		return nil
	}
	pod, _, _ := unstructured.NestedMap(u.Object, "spec", "template", "spec")
	onHost, _, _ := unstructured.NestedBool(pod, "hostNetwork")
	for _, c := range slices.Concat(objectsAt(pod, "containers"), objectsAt(pod, "initContainers")) {
		for _, port := range objectsAt(c, "ports") {
			n, _, _ := unstructured.NestedInt64(port, "hostPort")
			if n == 0 && onHost {
				n, _, _ = unstructured.NestedInt64(port, "containerPort")
			}
			if n > 0 {
				goods = append(goods, good(fmt.Sprintf("port %d/%s of the host", n, protocol(port))))
			}
		}
	}
	for _, claim := range claimsOf(u) {
		goods = append(goods, volumeOf(claim))
	}
	return goods
}

func volumeOf(claim ID) good { return good("the volume of " + claim.String()) }

// claimsOf lists the claims that the pods of a workload share.
func claimsOf(u *unstructured.Unstructured) (claims []ID) {
	for _, v := range objectsAt(u.Object, "spec", "template", "spec", "volumes") {
		if name, _, _ := unstructured.NestedString(v, "persistentVolumeClaim", "claimName"); name != "" {
			claims = append(claims, ID{Version: "v1", Kind: claimKind.Kind, Namespace: u.GetNamespace(), Name: name})
		}
	}
	return claims
}

func protocol(port map[string]any) string {
	if p, _, _ := unstructured.NestedString(port, "protocol"); p != "" {
		return p
	}
	return "TCP"
}

// objectsAt gives the objects of a list at a path.
func objectsAt(m map[string]any, path ...string) (out []map[string]any) {
	list, _, _ := unstructured.NestedFieldNoCopy(m, path...)
	items, _ := list.([]any)
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// explain notes on the objects that leave which of them are stopped first.
func explain(pruned []Change, held []hold) {
	why := map[ID]string{}
	for _, h := range held {
		why[idOf(h.holder).key()] = h.String()
	}
	for i, c := range pruned {
		if c.Action == Pruned && why[c.key()] != "" {
			pruned[i].Note = why[c.key()]
		}
	}
}

// await makes those no conflicts that only want a node port which is about to be free.
func (p *plan) await(held []hold) {
	for _, it := range p.items() {
		if it.change.Action != Conflict || it.change.groupKind() != serviceKind || !isAllocated(it.err) {
			continue
		}
		for _, h := range held {
			if slices.ContainsFunc(goodsOf(it.want), func(g good) bool { return slices.Contains(goodsOf(h.holder), g) }) {
				p.postpone(it, fmt.Sprintf("%s holds its node port until then", idOf(h.holder)))
			}
		}
	}
}

// isAllocated tells of a port that another Service has.
func isAllocated(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "already allocated")
}

func isNodePort(service *unstructured.Unstructured) bool {
	kind, _, _ := unstructured.NestedString(service.Object, "spec", "type")
	return kind == "NodePort"
}
