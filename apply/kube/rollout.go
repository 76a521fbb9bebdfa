package kube

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// judgeRollout corrects what kstatus says of a workload: where the template alone tells little of its pods, where nothing
// will become better, and where there is something to say though all is well.
func judgeRollout(want, live *unstructured.Unstructured, s *ObjectStatus) {
	if s.Status == Terminating || !observed(live) {
		return
	}
	switch {
	case isJob(live):
		judgeJob(live, s)
	case live.GetKind() == "Pod":
		s.Final = s.Status == Failed && phase(live) == "Failed"
	case onDelete(live):
		judgeByPods(live, s)
	case isDeployment(live) && paused(live):
		judgePaused(live, s)
	case isDeployment(live):
		judgeDeadline(want, live, s)
	case partition(live) > 0 && s.Status == Current:
		if n := replicas(live); n.updated < n.wanted {
			s.Note = fmt.Sprintf("%d of %d pods keep the template before (partition: %d)", n.wanted-n.updated, n.wanted, partition(live))
		}
	}
}

// counts are the pods of a workload, as its status tells.
type counts struct{ wanted, made, updated, ready, available int64 }

// replicas counts for a Deployment or a StatefulSet.
func replicas(u *unstructured.Unstructured) counts {
	ready := number(u, 0, "status", "readyReplicas")
	return counts{
		wanted: number(u, 1, "spec", "replicas"), made: number(u, 0, "status", "replicas"), updated: number(u, 0, "status", "updatedReplicas"),
		ready: ready, available: number(u, ready, "status", "availableReplicas"),
	}
}

// scheduled counts for a DaemonSet.
func scheduled(u *unstructured.Unstructured) counts {
	return counts{
		wanted: number(u, 0, "status", "desiredNumberScheduled"), made: number(u, 0, "status", "currentNumberScheduled"),
		updated: number(u, 0, "status", "updatedNumberScheduled"), ready: number(u, 0, "status", "numberReady"),
		available: number(u, 0, "status", "numberAvailable"),
	}
}

// lack says what there is too little or too much of; empty if nothing.
func (n counts) lack() string {
	switch {
	case n.made < n.wanted:
		return fmt.Sprintf("Replicas: %d/%d", n.made, n.wanted)
	case n.ready < n.wanted:
		return fmt.Sprintf("Ready: %d/%d", n.ready, n.wanted)
	case n.available < n.wanted:
		return fmt.Sprintf("Available: %d/%d", n.available, n.wanted)
	case n.made > n.wanted:
		return fmt.Sprintf("Pending termination: %d", n.made-n.wanted)
	}
	return ""
}

// onDelete tells of workloads whose pods get a new template only when somebody deletes them.
func onDelete(u *unstructured.Unstructured) bool {
	kind, _, _ := unstructured.NestedString(u.Object, "spec", "updateStrategy", "type")
	return kind == "OnDelete" && u.GroupVersionKind().Group == "apps"
}

// judgeByPods judges a workload by the pods that it has, whichever template they are of. kstatus takes an OnDelete
// StatefulSet for current whatever its pods do, and waits for an OnDelete DaemonSet until somebody has deleted them all.
func judgeByPods(live *unstructured.Unstructured, s *ObjectStatus) {
	n := replicas(live)
	if live.GetKind() == "DaemonSet" {
		n = scheduled(live)
	}
	s.Status = InProgress
	if _, seen, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration"); !seen {
		s.Message = "its controller has not seen it yet"
		return
	}
	if s.Message = n.lack(); s.Message != "" {
		return
	}
	s.Status, s.Message = Current, fmt.Sprintf("Ready: %d/%d", n.ready, n.wanted)
	if n.updated < n.wanted {
		s.Note = fmt.Sprintf("%d of %d pods keep the template before until somebody deletes them (OnDelete)", n.wanted-n.updated, n.wanted)
	}
}

func isDeployment(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Deployment" && u.GroupVersionKind().Group == "apps"
}

func paused(u *unstructured.Unstructured) bool {
	b, _, _ := unstructured.NestedBool(u.Object, "spec", "paused")
	return b
}

// judgePaused counts, because no condition of a paused Deployment tells whether it is available as wanted.
func judgePaused(live *unstructured.Unstructured, s *ObjectStatus) {
	n := replicas(live)
	if lack := n.lack(); lack == "" && n.updated >= n.wanted {
		s.Status, s.Message, s.Note = Current, fmt.Sprintf("Ready: %d/%d", n.ready, n.wanted), "it is paused (spec.paused)"
		return
	}
	s.Status = InProgress
	s.Message = fmt.Sprintf("it is paused (spec.paused), so nothing of it rolls out (Updated: %d/%d): kubectl rollout resume deployment/%s -n %s",
		n.updated, n.wanted, live.GetName(), live.GetNamespace())
}

// judgeDeadline says which deadline was exceeded. Nothing will become better if the release set it; the default, which
// the server fills in, is nobody's promise.
func judgeDeadline(want, live *unstructured.Unstructured, s *ObjectStatus) {
	c := condition(live, "Progressing")
	if c["reason"] != "ProgressDeadlineExceeded" {
		return
	}
	deadline := number(live, 0, "spec", "progressDeadlineSeconds")
	s.Message = fmt.Sprintf("Progress deadline exceeded (%d s)", deadline)
	_, promised, _ := unstructured.NestedFieldNoCopy(want.Object, "spec", "progressDeadlineSeconds")
	// The controller leaves the condition of the template before standing until it has seen some progress.
	at, err := time.Parse(time.RFC3339, str(c["lastUpdateTime"]))
	earliest := specChanged(live).Add(time.Duration(deadline)*time.Second - clockSlack)
	s.Final = promised && err == nil && !at.Before(earliest)
}

// partition is how many pods of a StatefulSet keep the template before.
func partition(u *unstructured.Unstructured) int64 {
	if u.GetKind() != "StatefulSet" {
		return 0
	}
	return number(u, 0, "spec", "updateStrategy", "rollingUpdate", "partition")
}

// specChanged is when, by the server's clock, anything but the object's status was last changed.
func specChanged(u *unstructured.Unstructured) (at time.Time) {
	for _, f := range u.GetManagedFields() {
		if f.Subresource == "" && f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at
}

// condition is the object's condition of the type; nil if it has none.
func condition(u *unstructured.Unstructured, kind string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	i := slices.IndexFunc(conditions, func(v any) bool {
		m, ok := v.(map[string]any)
		return ok && m["type"] == kind
	})
	if i < 0 {
		return nil
	}
	return conditions[i].(map[string]any)
}

// holds tells whether the object's condition of the type is true.
func holds(u *unstructured.Unstructured, kind string) bool {
	return condition(u, kind)["status"] == "True"
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func number(u *unstructured.Unstructured, missing int64, fields ...string) int64 {
	n, found, err := unstructured.NestedInt64(u.Object, fields...)
	if !found || err != nil {
		return missing
	}
	return n
}
