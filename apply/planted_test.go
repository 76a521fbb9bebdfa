package apply

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/testpairs"
)

// TestPlantedFaultsAreFound puts a proxy between sallyport and the API server that makes one thing of the way back go
// wrong unnoticed, and expects the comparison of a random pair to name just that.
func TestPlantedFaultsAreFound(t *testing.T) {
	w := newPairWorld(t)
	for _, f := range []testpairs.Fault{testpairs.FaultField, testpairs.FaultObject, testpairs.FaultDelete} {
		t.Run(string(f), func(t *testing.T) {
			for seed := uint64(1001); seed < 1020; seed++ {
				p := w.pair(t, seed)
				p.BeforeOld, p.BeforeNew, p.Edits = nil, nil, nil
				struck, o := w.planted(t, f, p)
				if struck == (testpairs.Difference{}) {
					continue // the pair has no place for this fault
				}
				found := slices.ContainsFunc(o.unexpected(), func(d testpairs.Difference) bool {
					return d.Object == struck.Object && (struck.Path == "" || d.Path == struck.Path)
				})
				if !found {
					t.Errorf("seed %d: %s%s was left, found was %v", seed, struck.Object, struck.Path, o.diffs)
				}
				return
			}
			t.Error("no pair has a place for this fault")
		})
	}
}

func (w *pairWorld) planted(t *testing.T, f testpairs.Fault, p *testpairs.Pair) (testpairs.Difference, *pairOutcome) {
	t.Helper()
	proxy, err := testpairs.NewFaulty(f, p, w.cluster.Server)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(proxy)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	o := w.run(t, p, otherServer(t, w.cluster.Kubeconfig, srv.URL), proxy.Arm)
	return proxy.Struck(), o
}

// otherServer is a kubeconfig with another server.
func otherServer(t *testing.T, kubeconfig, server string) string {
	t.Helper()
	b, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	m["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)["server"] = server
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
