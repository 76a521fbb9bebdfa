package kube

import (
	"context"
	"strings"
	"testing"
	"time"
)

const gadgets = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.health.example.com}
spec:
  group: health.example.com
  scope: Namespaced
  names: {plural: PLURAL, singular: SINGULAR, kind: KIND}
  versions:
    - name: v1
      served: true
      storage: true
      SUBschema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
{apiVersion: health.example.com/v1, kind: KIND, metadata: {name: x, namespace: NS}, spec: {a: 1}}
`

func customKind(plural, singular, kind, subresources string) string {
	s := gadgets
	for from, to := range map[string]string{"PLURAL": plural, "SINGULAR": singular, "KIND": kind, "SUB": subresources} {
		s = strings.ReplaceAll(s, from, to)
	}
	return s
}

// A custom resource whose controller has not begun with it is not healthy because of that: it gets a moment. After that
// its silence is said.
func TestNewCustomResourceGetsAMoment(t *testing.T) {
	s := newSetting(t, "custom", customKind("gadgets", "gadget", "Gadget", "subresources: {status: {}}\n      ")+customKind("settings", "setting", "Setting", ""))
	gadget, plain := s.id("health.example.com", "v1", "Gadget", "x"), s.id("health.example.com", "v1", "Setting", "x")
	s.look(gadget, InProgress, "its controller has ", "")
	s.look(plain, Current, "", "") // nobody can say anything of it

	later := func(ctx context.Context, now time.Time) ObjectStatus {
		live := s.get(gadget)
		got := compute(live)
		must(t, s.c.askCustom(ctx, live, now, &subresources{}, &got))
		return got
	}
	made := s.get(gadget).GetCreationTimestamp().Time
	if got := later(t.Context(), made.Add(firstStatus)); got.Status != Current || got.Note == "" {
		t.Errorf("after a moment: %+v", got)
	}
	// A clock that makes no sense holds nobody up.
	for _, now := range []time.Time{{}, made.Add(-time.Hour)} {
		if got := later(t.Context(), now); got.Status != Current {
			t.Errorf("at %s: %+v", now, got)
		}
	}
	s.status(gadget, `{conditions: [{type: Ready, status: "False", reason: NoDisk}]}`)
	s.look(gadget, InProgress, "", "")
	s.status(gadget, `{conditions: [{type: Ready, status: "True"}]}`)
	s.look(gadget, Current, "", "")
}

func TestCustomGroups(t *testing.T) {
	for group, want := range map[string]bool{
		"": false, "apps": false, "networking.k8s.io": false, "gateway.networking.k8s.io": true, "cert-manager.io": true,
	} {
		if got := isCustom(group); got != want {
			t.Errorf("%q: got %t", group, got)
		}
	}
}
