package apply

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// TestAPIServerRestartsDuringRelease stops a real API server before the objects are put there, and again before the checks
// ask for them. The check has less time than the server takes to be back.
func TestAPIServerRestartsDuringRelease(t *testing.T) {
	api := testcluster.Start(t)
	target, err := kube.NewCluster(kube.Config{Kubeconfig: api.Kubeconfig, Patience: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	shop := kube.Objects{Release: "shop", YAML: []byte("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")}
	if _, _, err := target.Apply(t.Context(), shop, kube.Inventory{}); err != nil {
		t.Fatal(err)
	}
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.cfg.Spec.Target.Kubernetes = &KubernetesConfig{Kubeconfig: api.Kubeconfig}
	s.deps.OpenTarget = func(context.Context) (Target, error) { return target, nil }
	s.deps.RunChecks = func(ctx context.Context, _ []bundle.Check, env check.Env) ([]check.Result, bool, error) {
		c := bundle.Check{Name: "ready", Kubernetes: &bundle.KubernetesCheck{Wait: "all"}, Timeout: bundle.Duration(2 * time.Second)}
		return check.Run(ctx, []bundle.Check{c}, env)
	}
	s.must(r.one)
	for _, tt := range []struct {
		at string // the event after which the server is gone
		to sealed
	}{{"switching", r.two}, {"objects", r.three}} {
		back := make(chan error, 1)
		gone := false
		s.deps.Observe = func(e Event) {
			t.Log(e.Label, e.Text)
			if e.Label == tt.at && !gone {
				gone = true
				api.StopAPI()
				time.AfterFunc(3*time.Second, func() { back <- api.StartAPI(t) })
			}
		}
		res, err := s.apply(tt.to)
		if err != nil || res.Result != ResultCommitted {
			t.Fatalf("%s: %+v, %v", tt.at, res, err)
		}
		if err := <-back; err != nil {
			t.Fatal(err)
		}
	}
	status, err := target.Health(t.Context(), kube.Objects{Release: "store-platform", YAML: r.three.yaml})
	if err != nil || kube.CheckHealth(status) != nil {
		t.Errorf("afterwards: %+v, %v", status, err)
	}
}
