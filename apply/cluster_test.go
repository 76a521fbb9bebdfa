package apply

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// apiSite is a site whose target is a real API server, without controllers. The checks of the version that is failing fail;
// onTrial is called when checks are run.
type apiSite struct {
	*testSite
	client  client.Client
	factory *factory
	failing string
	onTrial func(version string)

	kubeconfig string
}

func newAPISite(t *testing.T) *apiSite {
	t.Helper()
	c := testcluster.Start(t)
	rc, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	s := &apiSite{factory: newFactory(t), onTrial: func(string) {}}
	if s.client, err = client.New(rc, client.Options{Scheme: runtime.NewScheme()}); err != nil {
		t.Fatal(err)
	}
	s.testSite = newTestSite(t, s.factory, newWorld())
	s.kubeconfig = c.Kubeconfig
	s.open(kube.Config{Settle: 3 * time.Second})
	s.deps.RunChecks = func(_ context.Context, _ []bundle.Check, env check.Env) ([]check.Result, bool, error) {
		i := slices.IndexFunc(env.Environ, func(v string) bool { return strings.HasPrefix(v, "SALLYPORT_VERSION=") })
		version := strings.TrimPrefix(env.Environ[i], "SALLYPORT_VERSION=")
		s.onTrial(version)
		if version == s.failing {
			return []check.Result{{Name: "sample", Verdict: check.Fail, Message: "answers 500", Required: true}}, false, nil
		}
		return []check.Result{{Name: "sample", Verdict: check.Pass, Required: true}}, true, nil
	}
	s.create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
	return s
}

// open has the verbs from now on connect so.
func (s *apiSite) open(cfg kube.Config) {
	cfg.Kubeconfig, cfg.Patience = s.kubeconfig, time.Second
	s.deps.OpenTarget = func(context.Context) (Target, error) { return kube.NewCluster(cfg) }
}

// release seals a release of these objects. What it changes for good is accepted for the objects that are named.
func (s *apiSite) release(version string, sequence uint64, text string, oneWay ...bundle.ObjectRef) sealed {
	s.t.Helper()
	c := newContent(version, sequence)
	c.d.OneWay = oneWay
	c.d.Manifests = bundle.Manifests{Digest: c.keep([]byte(text)), Size: int64(len(text)), Objects: strings.Count(text, "kind: ")}
	return s.factory.seal(s.t, c)
}

func (s *apiSite) create(text string) {
	s.t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		s.t.Fatal(err)
	}
	if err := s.client.Create(s.t.Context(), u); err != nil {
		s.t.Fatal(err)
	}
}

func inShop(apiVersion, kind, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace("shop")
	u.SetName(name)
	return u
}

// get returns an object of namespace shop; nil if it is not there.
func (s *apiSite) get(apiVersion, kind, name string) *unstructured.Unstructured {
	s.t.Helper()
	u := inShop(apiVersion, kind, name)
	err := s.client.Get(s.t.Context(), client.ObjectKeyFromObject(u), u)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// patch merges JSON into an object, status is whether into its status.
func (s *apiSite) patch(u *unstructured.Unstructured, text string, status bool) {
	s.t.Helper()
	p := client.RawPatch(types.MergePatchType, []byte(text))
	var err error
	if status {
		err = s.client.SubResource("status").Patch(s.t.Context(), u, p)
	} else {
		err = s.client.Patch(s.t.Context(), u, p)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *apiSite) fails(version string, b sealed) *Result {
	s.t.Helper()
	s.failing = version
	res, err := s.apply(b)
	if reasonOf(err) != "rolled-back" {
		s.t.Fatalf("apply %s: %+v, %v", version, res, err)
	}
	s.t.Log(err)
	return res
}

func limits(value, more string) string {
	return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: limits, namespace: shop}\ndata: {limit: \"" + value + "\"}\n" + more
}

// A release that makes a ConfigMap immutable and then fails goes back all the same, and the release that mends it comes.
func TestWayBackFromAnImmutableConfigMap(t *testing.T) {
	s := newAPISite(t)
	s.must(s.release("1.0.0", 1, limits("1", "")))
	accepted := bundle.ObjectRef{Kind: "ConfigMap", Namespace: "shop", Name: "limits"}
	res := s.fails("2.0.0", s.release("2.0.0", 2, limits("2", "immutable: true\n"), accepted))
	if live := s.get("v1", "ConfigMap", "limits"); live.Object["immutable"] == true || live.Object["data"].(map[string]any)["limit"] != "1" || len(res.Left) > 0 {
		t.Errorf("left %v, the cluster has %v", res.Left, live.Object)
	}
	s.must(s.release("3.0.0", 3, limits("3", "")))
	if live := s.get("v1", "ConfigMap", "limits"); live.Object["data"].(map[string]any)["limit"] != "3" {
		t.Errorf("the cluster has %v", live.Object)
	}
}

// Ctrl-C is heard at once while a deletion hangs, which is told by name; confirm goes on.
func TestInterruptedWhileADeletionHangs(t *testing.T) {
	s := newAPISite(t)
	old := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: old, namespace: shop, finalizers: [example.com/keep]}\n"
	s.must(s.release("1.0.0", 1, limits("1", "")+old))
	ctx, cancel := context.WithCancel(t.Context())
	var heard time.Time
	s.open(kube.Config{Settle: time.Minute, Hush: time.Second, Waiting: func(text string) {
		if !strings.Contains(text, "ConfigMap shop/old") || !strings.Contains(text, "example.com/keep") {
			t.Errorf("told: %s", text)
		}
		heard = time.Now()
		cancel()
	}})
	_, err := s.Apply(ctx, s.release("2.0.0", 2, limits("2", "")).input(), Options{})
	if took := time.Since(heard); reasonOf(err) != "interrupted" || took > 20*time.Second || s.status().Phase != Good {
		t.Errorf("%v, after %s, in phase %s", err, took, s.status().Phase)
	}
	s.patch(inShop("v1", "ConfigMap", "old"), `{"metadata": {"finalizers": null}}`, false)
	if res, err := s.Confirm(t.Context()); err != nil || res.Result != ResultCommitted || len(res.Leaving) > 0 || s.get("v1", "ConfigMap", "old") != nil {
		t.Errorf("%+v, %v", res, err)
	}
}

func claim(size string) string {
	return "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: orders, namespace: shop}\n" +
		"spec: {accessModes: [ReadWriteOnce], storageClassName: growing, volumeName: disk, resources: {requests: {storage: " + size + "}}}\n"
}

// A claim that has grown cannot be put back. Everything else is, the claim is named, and a newer release comes over it.
func TestWayBackFromAClaimThatHasGrown(t *testing.T) {
	s := newAPISite(t)
	s.create("apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: growing}\nprovisioner: example.com/disk\nallowVolumeExpansion: true\n")
	s.must(s.release("1.0.0", 1, claim("1Gi")+limits("1", "")))
	orders := func() *unstructured.Unstructured { return inShop("v1", "PersistentVolumeClaim", "orders") }
	s.patch(orders(), `{"status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}}`, true)
	s.onTrial = func(version string) {
		if version == "2.0.0" {
			s.patch(orders(), `{"status": {"capacity": {"storage": "2Gi"}}}`, true)
		}
	}
	second := s.release("2.0.0", 2, claim("2Gi")+limits("2", ""), bundle.ObjectRef{Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "orders"})
	res := s.fails("2.0.0", second)
	if len(res.Left) != 1 || res.Left[0].String() != "PersistentVolumeClaim shop/orders" || res.Left[0].Why == "" {
		t.Errorf("left is %v", res.Left)
	}
	if live := s.get("v1", "ConfigMap", "limits"); live.Object["data"].(map[string]any)["limit"] != "1" {
		t.Errorf("the cluster has %v", live.Object)
	}
	if st := s.status(); st.NeedsPerson || len(st.Left) != 1 {
		t.Errorf("status is %+v", st)
	}
	if res, err := s.Confirm(t.Context()); err != nil || len(res.Left) != 1 {
		t.Errorf("confirm: %+v, %v", res, err)
	}
	if res := s.must(s.release("3.0.0", 3, claim("2Gi")+limits("3", ""))); len(res.Left) > 0 || len(s.status().Left) > 0 {
		t.Errorf("left is %v", res.Left)
	}
}

// cli-utils#274, flux2#1366 and their like: what left the release is deleted when the release has passed, not before. A finalizer
// fails nothing, is told of by name, and the deletion is done once it is gone.
func TestDeletionThatHangs(t *testing.T) {
	s := newAPISite(t)
	old := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: old, namespace: shop, finalizers: [example.com/keep]}\n"
	s.must(s.release("1.0.0", 1, limits("1", "")+old))
	s.onTrial = func(version string) {
		if u := s.get("v1", "ConfigMap", "old"); u == nil || u.GetDeletionTimestamp() != nil {
			t.Errorf("%s is on trial, and what left with the release before is gone", version)
		}
	}
	res := s.must(s.release("2.0.0", 2, limits("2", "")))
	if len(res.Leaving) != 1 || !strings.Contains(res.Leaving[0].Why, "example.com/keep") {
		t.Errorf("leaving is %v", res.Leaving)
	}
	s.onTrial = func(string) {}
	if res := s.must(s.release("3.0.0", 3, limits("3", ""))); len(res.Leaving) != 1 {
		t.Errorf("leaving is %v", res.Leaving)
	}
	s.patch(inShop("v1", "ConfigMap", "old"), `{"metadata": {"finalizers": null}}`, false)
	if res, err := s.Confirm(t.Context()); err != nil || len(res.Leaving) > 0 || s.get("v1", "ConfigMap", "old") != nil {
		t.Errorf("%+v, %v", res, err)
	}
}

// A first release that brought a webhook without a backend, which refuses every change and every deletion, goes as a whole.
func TestFirstReleaseThatStandsInItsOwnWay(t *testing.T) {
	s := newAPISite(t)
	hook := "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: guard}\n" +
		"webhooks: [{name: guard.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: Fail,\n" +
		"  clientConfig: {service: {namespace: shop, name: nobody}},\n" +
		"  rules: [{apiGroups: [\"\"], apiVersions: [v1], operations: [\"*\"], resources: [configmaps]}]}]\n"
	s.failing = "1.0.0"
	first := s.release("1.0.0", 1, hook+limits("1", ""))
	res, err := s.apply(first)
	if reasonOf(err) != "rolled-back" || len(res.Left)+len(res.Leaving) > 0 || s.get("v1", "ConfigMap", "limits") != nil {
		t.Fatalf("%+v, %v", res, err)
	}
}
