package kube

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
)

// injector is a webhook that puts a sidecar into Deployments that have none.
func injector(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	var d appsv1.Deployment
	if json.NewDecoder(r.Body).Decode(&review) != nil || json.Unmarshal(review.Request.Object.Raw, &d) != nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	patch := admissionv1.PatchTypeJSONPatch
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if len(d.Spec.Template.Spec.Containers) == 1 {
		review.Response.PatchType = &patch
		review.Response.Patch = []byte(`[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"sidecar","image":"sidecar:1"}}]`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the server says so if nothing comes
}

// What a webhook injects belongs to whoever wrote the object, a person perhaps. It would come again, so it is no difference.
func TestInjectedSidecarIsNoDrift(t *testing.T) {
	ns, c := "injected", newCluster(t)
	want := shopIn(ns)
	mustApply(t.Context(), t, c, want, Inventory{})
	hook := tlsServer(t, http.HandlerFunc(injector))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw})
	config := object(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: injector}
webhooks:
  - name: injector.example.com
    clientConfig: {url: %q, caBundle: %s}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: injected}}
    rules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
    sideEffects: None
    admissionReviewVersions: [v1]
`, hook.URL, base64.StdEncoding.EncodeToString(ca)))
	if err := c.client.Create(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	web := shopID(ns, "Deployment", "web")
	has := func() bool {
		live, err := c.get(t.Context(), web)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(fmt.Sprint(live.Object["spec"]), "sidecar:1")
	}
	for end, n := time.Now().Add(20*time.Second), 0; !has(); n++ { // the server learns of a webhook a moment later
		if time.Now().After(end) {
			t.Fatal("nothing is injected")
		}
		editBy("kubectl-edit", fmt.Sprintf(`{"spec":{"minReadySeconds":%d}}`, n+1)).on(t, c, web)
		time.Sleep(100 * time.Millisecond)
	}
	drift, err := c.Drift(t.Context(), want)
	if text := driftText(drift); err != nil || len(text) != 1 || !strings.Contains(text[0], "spec.minReadySeconds") {
		t.Errorf("drift is %q, %v", text, err)
	}
	if _, err := c.Repair(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	expectDrift(t, c, want)
	if !has() {
		t.Error("the sidecar has gone")
	}
}

// A look at many objects takes lists.
func TestDriftOfManyObjects(t *testing.T) {
	var n atomic.Int64
	c := proxied(t, counted(&n))
	want := objects("%s", manyMaps("driftmany", 500, func(int) string { return "x" }))
	mustApply(t.Context(), t, c, want, Inventory{})
	n.Store(0)
	expectDrift(t, c, want)
	if n.Load() > 20 {
		t.Errorf("it took %d calls", n.Load())
	}
}
