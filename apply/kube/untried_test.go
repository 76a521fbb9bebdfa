package kube

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// onDryRuns answers dry runs alone.
func onDryRuns(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPatch && r.URL.Query().Has("dryRun") && strings.Contains(r.URL.Path, "/configmaps/untried") && f(w, r)
	}
}

func statusOf(code int, reason, message string) fault {
	b, err := json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
	if err != nil {
		panic(err)
	}
	return answer(code, string(b))
}

// The forms of the answer: fluxcd/flux2#4073, kbst/terraform-provider-kustomization#13 and Azure/AKS#2197 (webhooks),
// cert-manager#2186 (as an internal error), clusternet#457 (an aggregated API server), kubernetes-client/java#932 (an old
// server).
func TestObjectsThatCannotBeTried(t *testing.T) {
	for name, f := range map[string]fault{
		"webhook":                   statusOf(400, "BadRequest", `admission webhook "w.example.com" does not support dry run`),
		"webhook of an old server":  statusOf(500, "InternalError", `Internal error occurred: admission webhook "w.example.com" does not support dry run`),
		"aggregated server":         statusOf(400, "BadRequest", "dry run is not supported"),
		"another aggregated server": statusOf(405, "MethodNotAllowed", "dryRun is not supported"),
		"feature off":               statusOf(400, "BadRequest", "the dryRun alpha feature is disabled"),
		"parameter unknown":         statusOf(422, "Invalid", `PatchOptions is invalid: dryRun: Unsupported value: ["All"]`),
	} {
		t.Run(name, func(t *testing.T) {
			c := proxied(t, onDryRuns(f))
			want := objects("%s", configMap("default", "untried", "x")+configMap("default", "tried", "x"))
			changes, err := c.DryRun(t.Context(), want, Inventory{})
			must(t, err)
			expect(t, "dry run", changes, "created ConfigMap default/tried", "created ConfigMap default/untried")
			if changes[0].Untried || !changes[1].Untried || !strings.Contains(changes[1].Note, "cannot be tried beforehand: ") {
				t.Errorf("dry run: %+v", changes)
			}
			inv, changes := mustApply(t.Context(), t, c, want, Inventory{})
			expect(t, "apply", changes, "created ConfigMap default/tried", "created ConfigMap default/untried")
			_, changes = mustApply(t.Context(), t, c, want, inv)
			expect(t, "the same again", changes, "unchanged ConfigMap default/tried", "unchanged ConfigMap default/untried")
			if _, err := c.Prune(t.Context(), inv, Inventory{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What cannot be tried may still be refused, or want to be made anew, when it is applied.
func TestUntriedObjectsMayBeRefused(t *testing.T) {
	c := proxied(t, onDryRuns(statusOf(400, "BadRequest", `admission webhook "w.example.com" does not support dry run`)))
	frozen := func(value, annotations string) Objects {
		return objects("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: untried-frozen, namespace: default, annotations: {%s}}\nimmutable: true\ndata: {limit: %q}\n", annotations, value)
	}
	inv, _ := mustApply(t.Context(), t, c, frozen("1", ""), Inventory{})
	_, _, err := c.Apply(t.Context(), frozen("2", ""), inv)
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Hint(), ForceAnnotation) {
		t.Errorf("got %v", err)
	}
	_, changes := mustApply(t.Context(), t, c, frozen("2", `"`+ForceAnnotation+`": enabled`), inv)
	expect(t, "apply by force", changes, "recreated ConfigMap default/untried-frozen")
	if _, err := c.Prune(t.Context(), inv, Inventory{}); err != nil {
		t.Fatal(err)
	}
}

// A refusal that only speaks of dry runs stays one.
func TestRefusalsThatSpeakOfDryRuns(t *testing.T) {
	for _, message := range []string{
		`admission webhook "w.example.com" denied the request: not allowed by policy`,
		`admission webhook "dry-run.example.com" denied the request: no`,
	} {
		c := proxied(t, onDryRuns(statusOf(403, "Forbidden", message)))
		changes, err := c.DryRun(t.Context(), objects("%s", configMap("default", "untried", "x")), Inventory{})
		must(t, err)
		expect(t, "dry run", changes, "conflict ConfigMap default/untried")
	}
}
