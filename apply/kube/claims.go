package kube

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func isClaim(u *unstructured.Unstructured) bool {
	return u.GetKind() == "PersistentVolumeClaim" && u.GetAPIVersion() == "v1"
}

// askClaim asks what a claim without a volume waits for. One that waits for the first pod to use it, while there is none,
// is as it should be.
func (c *Cluster) askClaim(ctx context.Context, claim *unstructured.Unstructured, s *ObjectStatus) error {
	if s.Status != InProgress {
		return nil
	}
	if phase(claim) == "Lost" {
		volume, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
		s.Status, s.Message = Failed, describe("its volume %s is lost", volume)
		return nil
	}
	consumer, err := c.consumer(ctx, claim)
	if err != nil {
		return c.failed("list the pods that use "+s.String(), err)
	}
	if consumer == "" {
		waits, err := c.waitsForConsumer(ctx, claim)
		if err != nil {
			return c.failed("look at the storage class of "+s.String(), err)
		}
		if waits {
			s.Status, s.Note = Current, "it gets its volume when the first pod uses it, and none does yet"
			return nil
		}
	} else {
		s.Message += "; pod " + consumer + " waits for it"
	}
	if e, err := c.newestEvent(ctx, s.Namespace, "involvedObject.uid="+string(claim.GetUID()), isWarning); err == nil && e != nil {
		s.Message = describe("%s; %s: %s", s.Message, e.Reason, e.Message)
	}
	return nil
}

// consumer names a pod that uses the claim; empty if none does.
func (c *Cluster) consumer(ctx context.Context, claim *unstructured.Unstructured) (name string, err error) {
	err = c.list(ctx, "v1", "PodList", func(u *unstructured.Unstructured, now time.Time) error {
		p, err := newPod(u, now)
		if err == nil && !p.finished() && p.DeletionTimestamp == nil && p.uses(claim.GetName()) {
			name = p.Name
		}
		return err
	}, client.InNamespace(claim.GetNamespace()))
	return name, err
}

func (p *pod) uses(claim string) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim
	})
}

// waitsForConsumer tells whether the claim's storage class makes no volume before a pod needs one. Who may not read
// classes, which are in no namespace, has the claim's events.
func (c *Cluster) waitsForConsumer(ctx context.Context, claim *unstructured.Unstructured) (bool, error) {
	name, _, _ := unstructured.NestedString(claim.Object, "spec", "storageClassName")
	if name == "" {
		return false, nil
	}
	id := ID{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass", Name: name}
	if !c.knows(id.gvk()) {
		if err := c.learn(ctx, id.gvk().GroupVersion()); err != nil {
			return false, err
		}
	}
	class, err := c.get(ctx, id)
	if apierrors.IsForbidden(err) {
		e, err := c.newestEvent(ctx, claim.GetNamespace(), "involvedObject.uid="+string(claim.GetUID()), func(*corev1.Event) bool { return true })
		return err == nil && e != nil && e.Reason == "WaitForFirstConsumer", nil
	}
	if class == nil || err != nil {
		return false, err
	}
	mode, _, _ := unstructured.NestedString(class.Object, "volumeBindingMode")
	return mode == "WaitForFirstConsumer", nil
}
