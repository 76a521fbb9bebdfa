package kube

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// told is everything that comes out of the target about an object: errors with all that they wrap, changes, the log.
type told struct{ bytes.Buffer }

func (w *told) add(t *testing.T, v any, err error) {
	t.Helper()
	b, jsonErr := json.Marshal(v)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	fmt.Fprintf(w, "%s\n", b)
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(w, "%v %+v\n", err, err)
		var refused *RefusedError
		if errors.As(err, &refused) {
			fmt.Fprintf(w, "%+v\n", refused.Refused)
		}
	}
}

// holds reports values that were told, be it in base64.
func (w *told) holds(t *testing.T, values ...string) {
	t.Helper()
	for _, v := range values {
		for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v))} {
			if strings.Contains(w.String(), form) {
				t.Errorf("%q was told:\n%s", form, w)
			}
		}
	}
}

func listening(t *testing.T, w *told) *Cluster {
	t.Helper()
	c, err := NewCluster(Config{Kubeconfig: shared.Kubeconfig, Patience: time.Second, Settle: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func secretYAML(ns, name, rest string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\n%s\n", name, ns, rest)
}

// What the server refuses of a Secret is told by its field, never by its value.
func TestRefusedSecretsAreNotQuoted(t *testing.T) {
	ctx, ns := t.Context(), "discreet"
	first := objects("%s", namespace(ns)+secretYAML(ns, "fixed", "immutable: true\nstringData: {pin: hunter-one}")+
		secretYAML(ns, "typed", "type: example.com/a\nstringData: {pin: hunter-one}"))
	inv, _ := mustApply(ctx, t, newCluster(t), first, Inventory{})
	for _, tt := range []struct {
		name, secret, value string
		want                string // in what is told
	}{
		{"a number", secretYAML(ns, "s", "stringData: {pin: 48291355}"), "48291355", "it is not valid: .stringData.pin: expected string"},
		{"several", secretYAML(ns, "s", "stringData: {pin: 48291355, rate: 48291355.5}"), "48291355", ".stringData.pin: expected string; .stringData.rate: expected string"},
		{"a list", secretYAML(ns, "s", "data: {pin: [hunter-list]}"), "hunter-list", ".data.pin: expected string"},
		{"text in place of fields", secretYAML(ns, "s", "stringData: hunter-text"), "hunter-text", ".stringData: expected map"},
		{"no base64", secretYAML(ns, "s", `data: {pin: "hunter not base64"}`), "hunter not", "illegal base64 data"},
		{"an unknown field", secretYAML(ns, "s", "secretData: {pin: hunter-unknown}"), "hunter-unknown", ".secretData: field not declared in schema"},
		{"no JSON", secretYAML(ns, "s", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: hunter-docker}"), "hunter-docker", "data[.dockerconfigjson]"},
		{"a key missing", secretYAML(ns, "s", "type: kubernetes.io/tls\nstringData: {tls.key: hunter-key}"), "hunter-key", "data[tls.crt]"},
		{"a key that is none", secretYAML(ns, "s", `stringData: {"a b": hunter-bad}`), "hunter-bad", "a valid config key"},
		{"immutable", secretYAML(ns, "fixed", "immutable: true\nstringData: {pin: hunter-two}"), "hunter-", "data cannot be changed"},
		{"another type", secretYAML(ns, "typed", "type: example.com/b\nstringData: {pin: hunter-two}"), "hunter-", "type cannot be changed"},
		{"too long", secretYAML(ns, "s", "stringData: {pin: "+strings.Repeat("hunter-long", 100_000)+"}"), "hunter-long", "Too long: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var w told
			c := listening(t, &w)
			want := objects("%s", tt.secret)
			changes, err := c.DryRun(ctx, want, inv)
			w.add(t, changes, err)
			_, changes, err = c.Apply(ctx, want, inv)
			if err == nil {
				t.Error("it was applied")
			}
			w.add(t, changes, err)
			restored, err := c.Restore(ctx, want, inv, nil)
			w.add(t, restored, err)
			w.holds(t, tt.value)
			if n := strings.Count(w.String(), tt.want); n < 3 {
				t.Errorf("%q is told %d times, by no means each time:\n%s", tt.want, n, &w)
			}
		})
	}
}

const quoting = `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: quoted}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}]
  validations: [{expression: "object.metadata.name != '%[1]s'", messageExpression: "'I do not like ' + string(object.data.pin)"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [%[2]s]}
`

// Policies quote what they please, in refusals and in warnings.
func TestPoliciesThatQuoteSecrets(t *testing.T) {
	ctx := t.Context()
	inv, _ := mustApply(ctx, t, newCluster(t), objects("%s", namespace("quoted")+fmt.Sprintf(quoting, "deny", "Deny")+fmt.Sprintf(quoting, "warn", "Warn")), Inventory{})
	var w told
	c := listening(t, &w)
	for name, words := range map[string]string{"deny": "ValidatingAdmissionPolicy 'deny' with binding 'deny' denied request", "warn": "the cluster warns: Secret quoted/warn"} {
		want := objects("%s", secretYAML("quoted", name, "stringData: {pin: hunter-policy}"))
		for end := time.Now().Add(20 * time.Second); !strings.Contains(w.String(), words); { // the server learns of a policy a moment later
			if time.Now().After(end) {
				t.Fatalf("%q is not told:\n%s", words, &w)
			}
			changes, err := c.DryRun(ctx, want, inv)
			w.add(t, changes, err)
		}
		_, changes, err := c.Apply(ctx, want, inv)
		w.add(t, changes, err)
	}
	w.holds(t, "hunter-policy")
}

// A Secret that kubectl made carries a copy of itself (argo-cd GHSA-rg3g-4rw9-gqrp); adopted with another value, neither
// the old value nor the new one is told.
func TestAdoptedSecretIsNotTold(t *testing.T) {
	ctx := t.Context()
	var w told
	c := listening(t, &w)
	made := object(t, secretYAML("default", "adopted", "stringData: {pin: hunter-old}"))
	made.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: `{"stringData":{"pin":"hunter-old"}}`})
	want := objects("%s", secretYAML("default", "adopted", "stringData: {pin: hunter-new}"))
	if _, err := c.Inventory(ctx, want); err != nil { // makes the kind known
		t.Fatal(err)
	}
	if err := c.client.Create(ctx, made); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.client.Delete(context.Background(), made); err != nil {
			t.Error(err)
		}
	})
	changes, err := c.DryRun(ctx, want, Inventory{})
	w.add(t, changes, err)
	if len(changes) != 1 || changes[0].Action != Configured || len(changes[0].Fields) == 0 {
		t.Errorf("the dry run tells %+v", changes)
	}
	_, changes, err = c.Apply(ctx, want, Inventory{})
	w.add(t, changes, err)
	w.holds(t, "hunter-old", "hunter-new")
}

// A server out of order may answer with anything, also with what it was sent.
func TestBrokenServerDoesNotQuoteSecrets(t *testing.T) {
	for name, body := range map[string]string{
		"status":     `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"admission webhook \"w.example.com\" denied the request: hunter-body","code":500}`,
		"no status":  `{"data":{"pin":"hunter-body"}}`,
		"no JSON":    "hunter-body",
		"by a cause": `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"x","code":422,"reason":"Invalid","details":{"causes":[{"field":"hunter-body","message":"hunter-body"}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			code := 500
			if name == "by a cause" {
				code = 422
			}
			c := proxied(t, on("PATCH", "/secrets/", 1, always, answer(code, body)))
			want := objects("%s", secretYAML("default", "never", "stringData: {pin: hunter-body}"))
			var w told
			changes, err := c.DryRun(t.Context(), want, Inventory{})
			w.add(t, changes, err)
			_, changes, err = c.Apply(t.Context(), want, Inventory{})
			if err == nil {
				t.Error("it was applied")
			}
			w.add(t, changes, err)
			w.holds(t, "hunter-body")
		})
	}
}

func TestDiscreetWords(t *testing.T) {
	for _, tt := range []struct{ message, want string }{
		{`secrets "s" is forbidden: User "till" cannot patch resource "secrets" in API group "" in the namespace "shop"`, ""},
		{`secrets is forbidden: User "till" cannot list resource "secrets" in API group "" at the cluster scope`, ""},
		{`secrets "s" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=3, limited: secrets=3`, ""},
		{`secrets "s" is forbidden: unable to create new content in namespace shop because it is being terminated`, ""},
		{`namespaces "shop" not found`, ""},
		{`admission webhook "w.example.com" denied the request: secrets "s" not found`, `admission webhook "w.example.com" denied the request: ` + unsaid},
		{`Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https://w.shop.svc:443/?p=s3cret": no endpoints available for service "w"`,
			`failed calling webhook "w.example.com": no endpoints available for service "w"`},
		{`admission webhook "w.example.com" does not support dry run`, ""},
		{`s3cret json: cannot unmarshal number into Go struct field Secret.stringData of type string`, "Secret.stringData: expected string"},
		{`s3cret: field is immutable`, "field is immutable"},
		{`s3cret`, unsaid},
	} {
		want := tt.want
		if want == "" {
			want = tt.message
		}
		if got := discreetStatus(metav1.Status{Message: tt.message}).Message; got != want {
			t.Errorf("of %q\n  %q is told, want\n  %q", tt.message, got, want)
		}
	}
	for path, is := range map[string]bool{
		"/api/v1/namespaces/a/secrets/b": true, "/api/v1/namespaces/a/secrets": true, "/api/v1/secrets": true, "/k8s/clusters/c-1/api/v1/namespaces/a/secrets/b": true,
		"/api/v1/namespaces/secrets": false, "/api/v1/namespaces/a/configmaps/secrets": false, "/apis/example.com/v1/namespaces/a/secrets/b": false,
	} {
		if got := secretPath.MatchString(path); got != is {
			t.Errorf("%s is of a Secret: %t", path, got)
		}
	}
}
