package kube

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func waveMap(ns, name, annotation string) string {
	return fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s, annotations: {%s}}, data: {limit: '1'}}\n", name, ns, annotation)
}

// A wave is begun when all of the one before is healthy: a Job between two of them has ended.
func TestWaves(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "waves"
	runner := runJobs(t, ns, succeed)
	release := objects("%s", namespace(ns)+waveMap(ns, "limits", `sallyport.dev/wave: "1"`)+
		hookJob(ns, "before", `argocd.argoproj.io/sync-wave: "-1"`)+hookJob(ns, "between", "")+hookJob(ns, "after", `sallyport.dev/wave: "2"`))
	inv, changes := mustApply(ctx, t, c, release, Inventory{})
	if len(changes) != 5 || inv.Len() != 5 {
		t.Errorf("changes %q", brief(changes))
	}
	// Nobody waits for the last wave.
	must(t, c.Wait(ctx, release, pollInterval))
	wantRan(t, "waves", runner.took(), "before none", "between none", "after 1")
}

// A wave that fails, or is not well in time, ends the change of releases.
func TestWaveHoldsUp(t *testing.T) {
	for name, tt := range map[string]struct{ outcome, annotation, want string }{
		"fails":        {"failed", "", "it failed: x: it says no"},
		"does not end": {"", "sallyport.dev/timeout: 1s", "wave 0 has not become healthy within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, c, ns := t.Context(), newCluster(t), "wave-"+strings.ReplaceAll(name, " ", "-")
			runJobs(t, ns, func(string) string { return tt.outcome })
			_, _, err := c.Apply(ctx, objects("%s", namespace(ns)+hookJob(ns, "between", tt.annotation)+waveMap(ns, "limits", `sallyport.dev/wave: "1"`)), Inventory{})
			var unhealthy *UnhealthyError
			if !errors.As(err, &unhealthy) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if u, err := c.get(ctx, ID{Version: "v1", Kind: "ConfigMap", Namespace: ns, Name: "limits"}); u != nil || err != nil {
				t.Errorf("the next wave was begun: %v", err)
			}
		})
	}
}

func TestWaveIsANumber(t *testing.T) {
	_, err := newCluster(t).Inventory(t.Context(), objects("%s", waveMap("default", "x", "sallyport.dev/wave: late")))
	var bad *ManifestError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), `ConfigMap default/x: the annotation sallyport.dev/wave is "late"`) {
		t.Errorf("got %v", err)
	}
}
