package apply

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sallyport-dev/sallyport/bundle"
)

const localClass = "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: local}\nprovisioner: example.com/local\nallowVolumeExpansion: true\n"

func orders(size string) string {
	return localClass + "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: orders, namespace: shop}\n" +
		"spec: {accessModes: [ReadWriteOnce], storageClassName: local, resources: {requests: {storage: " + size + "}}}\n"
}

// What no rollback can undo is refused before anything is touched, unless the release accepts it.
func TestOneWayIsAccepted(t *testing.T) {
	s := newAPISite(t)
	s.must(s.release("1.0.0", 1, limits("1", orders("1Gi"))))
	claim := inShop("v1", "PersistentVolumeClaim", "orders")
	s.patch(claim, `{"spec":{"volumeName":"v"}}`, false)
	s.patch(claim, `{"status":{"phase":"Bound","capacity":{"storage":"1Gi"}}}`, true)

	grown := s.release("2.0.0", 2, limits("2", orders("2Gi")))
	f, err := s.DryRun(t.Context(), grown.input(), Options{})
	if reasonOf(err) != "one-way" || f == nil || !strings.Contains(fmt.Sprint(err), "PersistentVolumeClaim shop/orders: it grows from 1Gi to 2Gi") {
		t.Errorf("the dry run says %+v, %v", f, err)
	}
	if _, err := s.apply(grown); reasonOf(err) != "one-way" {
		t.Errorf("apply: %v", err)
	}
	if got := s.get("v1", "ConfigMap", "limits"); fmt.Sprint(got.Object["data"]) != "map[limit:1]" {
		t.Errorf("something was touched: %v", got.Object["data"])
	}
	if st := s.status(); st.Current.Version != "1.0.0" || st.Trial != nil {
		t.Errorf("status is %+v", st)
	}
	s.must(s.release("2.0.0", 3, limits("2", orders("2Gi")), bundle.ObjectRef{Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "orders"}))
}

// edge is a program on a port of the host that reads its settings.
func edge(name, mode string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {mode: %s}\n---\n"+
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: shop}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: %[2]s}}\n  template:\n"+
		"    metadata: {labels: {app: %[2]s}}\n    spec: {containers: [{name: c, image: i, ports: [{containerPort: 8443, hostPort: 8443}], envFrom: [{configMapRef: {name: settings}}]}]}\n", mode, name)
}

// A workload under another name gets its port of the host (timoni#622, fleet#792), one whose settings alone change restarts
// (kubernetes#22368), and both come back as they were.
func TestTrialIsOfWhatIsNew(t *testing.T) {
	s := newAPISite(t)
	s.must(s.release("1.0.0", 1, edge("edge", "good")))
	spec := func(name string) map[string]any {
		u := s.get("apps/v1", "Deployment", name)
		if u == nil {
			return nil
		}
		m, _, _ := unstructured.NestedMap(u.Object, "spec")
		return m
	}
	before := fmt.Sprint(spec("edge"))

	var inTrial map[string]any
	s.onTrial = func(version string) {
		if version == "2.0.0" {
			inTrial = spec("edge")
		}
	}
	s.fails("2.0.0", s.release("2.0.0", 2, edge("edge-proxy", "good")))
	if inTrial == nil || inTrial["replicas"] != int64(0) {
		t.Errorf("in the trial the holder of the port is %v, not kept at 0", inTrial)
	}
	if after := fmt.Sprint(spec("edge")); after != before || spec("edge-proxy") != nil {
		t.Errorf("after the trial:\n%s\nbefore:\n%s\nand beside it %v", after, before, spec("edge-proxy"))
	}

	restarted := false
	s.onTrial = func(version string) {
		if version == "3.0.0" {
			restarted = fmt.Sprint(spec("edge")) != before
		}
	}
	s.fails("3.0.0", s.release("3.0.0", 3, edge("edge", "bad")))
	if after := fmt.Sprint(spec("edge")); !restarted || after != before {
		t.Errorf("restarted: %v; after the trial:\n%s\nbefore:\n%s", restarted, after, before)
	}

	s.onTrial = func(string) {}
	s.must(s.release("4.0.0", 4, edge("edge-proxy", "good")))
	if spec("edge") != nil || spec("edge-proxy") == nil {
		t.Errorf("after the commit there are %v and %v", spec("edge"), spec("edge-proxy"))
	}
}
