package apply

import (
	"os"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

// restored is a release with a kind of its own, an object of that kind, and a webhook that judges ConfigMaps and whose
// backend would be a Pod of the release: with an empty cluster it answers nobody.
const restored = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tills.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {kind: Till, plural: tills, singular: till, listKind: TillList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: shop.example.com/v1
kind: Till
metadata: {name: one, namespace: shop}
spec: {drawer: 1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: shop}
data: {max: "5"}
---
apiVersion: v1
kind: Service
metadata: {name: gate, namespace: shop}
spec: {selector: {app: gate}, ports: [{port: 443}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: gate}
webhooks:
- name: gate.shop.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {service: {name: gate, namespace: shop}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
`

// A cluster that lost a release's objects gets them back in the order in which they can come: the kind before its objects, and past a
// webhook whose backend is gone with the rest. Some are lost, or all, with or without the site's own memory of them.
func TestRecoverObjectsOfACluster(t *testing.T) {
	s := newAPISite(t)
	b := s.release("1.0.0", 1, restored)
	s.must(b)
	kinds := []struct{ apiVersion, kind, name string }{
		{"shop.example.com/v1", "Till", "one"}, {"v1", "ConfigMap", "limits"}, {"v1", "Service", "gate"},
	}
	for name, lose := range map[string]func(){
		"one object": func() { s.delete(t, inShop("v1", "Service", "gate")) },
		"two, and slots": func() {
			s.delete(t, inShop("v1", "Service", "gate"))
			s.delete(t, inShop("v1", "ConfigMap", "limits"))
			lost(t, s, "slots")
		},
		"a kind": func() {
			s.delete(t, clusterWide("apiextensions.k8s.io/v1", "CustomResourceDefinition", "tills.shop.example.com"))
		},
		"all":              func() { s.loseAll(t) },
		"all, and journal": func() { s.loseAll(t); lost(t, s, "journal") },
		"all, and state":   func() { s.loseAll(t); lost(t, s, "state") },
	} {
		lose()
		res, plan, err := s.recover(RecoverOptions{}, b)
		if err != nil {
			t.Errorf("%s: %v (plan %+v)", name, err, plan)
			continue
		}
		if res.Result != ResultRecovered && res.Result != ResultCommitted || len(res.Proved) != 3 {
			t.Errorf("%s: %s, proved %q", name, res.Result, res.Proved)
		}
		for _, k := range kinds {
			if s.get(k.apiVersion, k.kind, k.name) == nil {
				t.Errorf("%s: %s %s is missing", name, k.kind, k.name)
			}
		}
		if _, drift := s.ExamineTarget(t.Context()); slices.ContainsFunc(drift, func(d kube.Difference) bool { return d.Missing }) {
			t.Errorf("%s: %v", name, drift)
		}
	}
}

func lost(t *testing.T, s *apiSite, part string) {
	t.Helper()
	if err := losses[part](s.testSite); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// clusterWide is an object outside of namespaces.
func clusterWide(apiVersion, kind, name string) *unstructured.Unstructured {
	u := inShop(apiVersion, kind, name)
	u.SetNamespace("")
	return u
}

// delete takes an object from the cluster, and waits until it is gone.
func (s *apiSite) delete(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	if err := s.client.Delete(t.Context(), u); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	for s.client.Get(t.Context(), client.ObjectKeyFromObject(u), u) == nil {
		time.Sleep(50 * time.Millisecond)
	}
}

// loseAll takes everything of the release from the cluster.
func (s *apiSite) loseAll(t *testing.T) {
	t.Helper()
	s.delete(t, clusterWide("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "gate"))
	s.delete(t, inShop("v1", "ConfigMap", "limits"))
	s.delete(t, inShop("v1", "Service", "gate"))
	s.delete(t, clusterWide("apiextensions.k8s.io/v1", "CustomResourceDefinition", "tills.shop.example.com"))
}
