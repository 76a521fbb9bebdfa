package kube

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const pendingClaim = "---\n{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s, namespace: NS}, spec: {storageClassName: %s, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}\n"

// A claim that gets its volume with its first pod holds nobody up while there is no such pod.
func TestClaimWaitsForFirstConsumer(t *testing.T) {
	s := newSetting(t, "claims", fmt.Sprintf(pendingClaim+pendingClaim, "late", "late-claims", "now", "now-claims")+
		"---\n{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: late-claims}, provisioner: a.b/c, volumeBindingMode: WaitForFirstConsumer}\n"+
		"---\n{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: now-claims}, provisioner: a.b/c}\n")
	late, now := s.id("", "v1", "PersistentVolumeClaim", "late"), s.id("", "v1", "PersistentVolumeClaim", "now")
	s.look(late, Current, "", "it gets its volume when the first pod uses it")
	s.look(now, InProgress, "phase: Pending", "")
	s.event(now, "Warning", "ProvisioningFailed", "no room in pool a", 0)
	s.look(now, InProgress, "ProvisioningFailed: no room in pool a", "")

	// Who sees one namespace only cannot read classes: the claim's events tell.
	forbidden := on("GET", "/storageclasses/", 1, always, answer(http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
	narrow := s
	narrow.c = proxied(t, forbidden)
	narrow.want = objects("%s", strings.ReplaceAll(fmt.Sprintf(pendingClaim, "late", "late-claims"), "NS", s.ns))
	narrow.look(late, InProgress, "phase: Pending", "")
	s.event(late, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding", 0)
	narrow.look(late, Current, "", "it gets its volume when the first pod uses it")

	create(t.Context(), t, s.c, "{apiVersion: v1, kind: Pod, metadata: {name: user, namespace: claims}, spec: {serviceAccountName: none, "+
		"containers: [{name: app, image: i}], volumes: [{name: v, persistentVolumeClaim: {claimName: late}}]}}", nil)
	s.look(late, InProgress, "; pod user waits for it", "")
	s.status(s.id("", "v1", "Pod", "user"), "{phase: Succeeded}")
	s.look(late, Current, "", "none does yet")

	s.status(late, "{phase: Lost}")
	s.look(late, Failed, "its volume", "")
	s.status(late, "{phase: Bound}")
	s.look(late, Current, "", "")
}
