package kube

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	orderedSet = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: %s, namespace: NS}, spec: {serviceName: db, replicas: 3, %s" + podTemplate + "}}\n---\n"
	putBack    = "{observedGeneration: GEN, replicas: 3, currentRevision: good, updateRevision: good}"
	notReady   = `{phase: Running, conditions: [{type: Ready, status: "False"}], containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0, state: {running: {}}}]}`
)

// unstick wants these pods to be deleted.
func (s setting) unstick(crashed, more bool, want ...string) {
	s.Helper()
	done, err := s.c.Unstick(s.Context(), s.want, crashed)
	var got []string
	for _, c := range done.Deleted {
		got = append(got, c.Name)
	}
	if err != nil || done.More != more || !slices.Equal(got, want) {
		s.Errorf("deleted %v, more %t, %v; want %v, %t", got, done.More, err, want, more)
	}
}

// there lists the pods of the namespace that are.
func (s setting) there(names ...string) (left []string) {
	s.Helper()
	for _, name := range names {
		if u, err := s.c.get(s.Context(), s.id("", "v1", "Pod", name)); err != nil {
			s.Fatal(err)
		} else if u != nil {
			left = append(left, name)
		}
	}
	return left
}

// An ordered StatefulSet whose template was put back waits for its broken Pod for ever (kubernetes#60164, #141095).
func TestUnstickOrderedStatefulSet(t *testing.T) {
	s := newSetting(t, "unstick", fmt.Sprintf(orderedSet, "db", ""))
	id := s.id("apps", "v1", "StatefulSet", "db")
	s.status(id, "{observedGeneration: GEN, replicas: 3, currentRevision: good, updateRevision: bad}")
	s.want.YAML = []byte(strings.ReplaceAll(string(s.want.YAML), "image: i", "image: j"))
	mustApply(t.Context(), t, s.c, s.want, Inventory{})
	s.pod(id, "db-0", "good", wellPod)
	s.pod(id, "db-1", "bad", crashedPod)
	s.pod(id, "db-2", "bad", crashedPod)
	s.pod(id, "db-10", "bad", wellPod)
	all := []string{"db-0", "db-1", "db-2", "db-10"}

	s.unstick(false, true) // the controller has not seen the template: by its status, bad is right
	s.status(id, putBack)
	u := s.get(s.id("", "v1", "Pod", "db-2")) // a finalizer, in place of the node that ends it
	u.SetFinalizers([]string{"a.b/c"})
	must(t, s.c.client.Update(t.Context(), u))
	done, err := s.c.Unstick(t.Context(), s.want, false)
	must(t, err)
	if len(done.Deleted) != 1 || done.Deleted[0].Name != "db-2" || !strings.Contains(done.Deleted[0].Note, "StatefulSet unstick/db waits for it, and it is of another template: container app exited with status 2") {
		t.Errorf("deleted %+v; want db-2 and why", done.Deleted)
	}
	s.unstick(false, true) // one at a time
	u = s.get(s.id("", "v1", "Pod", "db-2"))
	u.SetFinalizers(nil)
	must(t, s.c.client.Update(t.Context(), u))
	s.unstick(false, true, "db-1")
	s.unstick(false, false)
	if left := s.there(all...); !slices.Equal(left, []string{"db-0", "db-10"}) {
		t.Errorf("there are %v: ready ones are never touched", left)
	}
}

func TestUnstickTouchesNothingElse(t *testing.T) {
	s := newSetting(t, "unstuck", fmt.Sprintf(orderedSet+orderedSet, "db", "", "parallel", "podManagementPolicy: Parallel, ")+
		"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: edge, namespace: NS}, spec: {"+podTemplate+"}}")
	db, parallel := s.id("apps", "v1", "StatefulSet", "db"), s.id("apps", "v1", "StatefulSet", "parallel")
	edge := s.id("apps", "v1", "DaemonSet", "edge")
	s.status(db, putBack)
	s.status(parallel, putBack)
	s.pod(db, "db-0", "good", crashedPod) // what runs is broken itself: to start it again is its node's affair
	s.pod(db, "db-1", "bad", wellPod)
	s.pod(db, "db-2", "bad", `{phase: Failed}`) // its controller replaces it
	s.pod(parallel, "parallel-0", "bad", crashedPod)
	s.pod(edge, "edge-x", "bad", crashedPod)
	create(t.Context(), t, s.c, "{apiVersion: v1, kind: Pod, metadata: {name: db-3, namespace: unstuck, labels: {app: a, controller-revision-hash: bad}}, spec: "+unprobed+"}", nil)
	s.unstick(false, false)
	all := []string{"db-0", "db-1", "db-2", "db-3", "parallel-0", "edge-x"}
	if left := s.there(all...); !slices.Equal(left, all) {
		t.Errorf("only %v are left of %v", left, all)
	}
}

// A release that never ran gets rid of broken Pods of the one before, not of slow ones.
func TestUnstickForward(t *testing.T) {
	s := newSetting(t, "forward", fmt.Sprintf(orderedSet, "db", ""))
	id := s.id("apps", "v1", "StatefulSet", "db")
	s.status(id, putBack)
	s.pod(id, "db-0", "bad", crashedPod)
	s.pod(id, "db-1", "bad", notReady)
	s.unstick(true, true, "db-0")
	s.unstick(true, false)
	s.unstick(false, true, "db-1")
}

// Between the look and the deletion the Pod may become ready.
func TestUnstickLosesARace(t *testing.T) {
	s := newSetting(t, "race", fmt.Sprintf(orderedSet, "db", ""))
	id := s.id("apps", "v1", "StatefulSet", "db")
	s.status(id, putBack)
	pod := s.pod(id, "db-0", "bad", notReady)
	var once sync.Once
	direct := s
	s.c = proxied(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			once.Do(func() { direct.status(pod, wellPod) })
		}
		return false
	})
	s.unstick(false, true)
	s.unstick(false, false)
	if len(s.there("db-0")) == 0 {
		t.Error("a ready Pod was deleted")
	}
}

func TestOrdinal(t *testing.T) {
	for name, want := range map[string]int{"db-0": 0, "db-10": 10, "a-b-2": 2, "db": -1, "db-x": -1} {
		p := pod{}
		p.Name = name
		if got := ordinal(&p); got != want {
			t.Errorf("%s: got %d", name, got)
		}
	}
}
