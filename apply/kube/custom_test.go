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

// A dead conversion webhook or aggregated API server is the object's trouble, not an outage of the target; it does not hide
// how other objects are.
func TestUnreadableCustomResource(t *testing.T) {
	s := newSetting(t, "unserved", customKind("widgets", "widget", "Widget", "")+configMap("NS", "a", "x"))
	for _, f := range []fault{
		answer(500, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"conversion webhook for health.example.com/v1 failed","code":500}`),
		answer(503, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the server is currently unable to handle the request","reason":"ServiceUnavailable","code":503}`),
	} {
		broken := s
		broken.c = proxied(t, on("GET", "/widgets/", 1, always, f))
		broken.look(s.id("health.example.com", "v1", "Widget", "x"), InProgress, "it cannot be read: ", "")
		broken.look(s.id("", "v1", "ConfigMap", "a"), Current, "", "")
	}
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
