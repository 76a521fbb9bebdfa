package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// webhook refuses what it is asked about, as nobody listens there.
func webhook(name, ns, policy string) string {
	return fmt.Sprintf(`---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
  - name: %[1]s.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: %[3]s
    clientConfig: {url: "https://127.0.0.1:1/"}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[2]s}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
`, name, ns, policy)
}

// What the failed release brought and what refuses everything is taken away first.
func TestRestorePastWebhooksOfTheFailedRelease(t *testing.T) {
	bothWays(t, "hooked", func(ns string) wayBack {
		old := func(v string) string { return namespace(ns) + configMap(ns, "a", v) + configMap(ns, "b", v) }
		return wayBack{old: old(`"1"`), failed: old(`"2"`) + webhook(ns, ns, "Fail")}
	}, func(t *testing.T, r *Restored) {
		if len(r.Left) > 0 || !slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Action == Pruned && c.Kind == "ValidatingWebhookConfiguration" }) {
			t.Errorf("got %q, left %+v", brief(r.Changes), r.Left)
		}
	})
}

// So is what it changed put back first.
func TestRestorePastWebhooksThatWereChanged(t *testing.T) {
	bothWays(t, "sharper", func(ns string) wayBack {
		old := func(v, policy string) string { return namespace(ns) + configMap(ns, "a", v) + webhook(ns, ns, policy) }
		return wayBack{old: old(`"1"`, "Ignore"), failed: old(`"2"`, "Fail")}
	}, nil)
}

// terranetes-controller#1120: the webhook stands in both releases, and the new one broke what answers for it.
func TestRestorePastOurOwnWebhook(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "ownhook"
	text := func(v string) string { return namespace(ns) + configMap(ns, "a", v) + configMap(ns, "b", v) }
	hook := webhook(ns, ns, "Fail")
	hook = strings.Replace(hook, "    failurePolicy: Fail\n", "", 1) // the default, which nobody sets
	inv, _ := mustApply(ctx, t, c, objects("%s", text(`"1"`)), Inventory{})
	old := objects("%s", text(`"1"`)+hook)
	_, _ = mustApply(ctx, t, c, objects("%s", text(`"2"`)), inv)
	inv, _ = mustApply(ctx, t, c, objects("%s", text(`"2"`)+hook), inv)
	before := dump(ctx, t, c, inv)

	r, err := c.Restore(ctx, old, inv, nil)
	if err != nil || len(r.Left) > 0 {
		t.Fatalf("%v, left %+v", err, r.Left)
	}
	after := dump(ctx, t, c, inv)
	for id, u := range after {
		if limit, ok, _ := unstructured.NestedString(u.Object, "data", "limit"); ok && limit != "1" {
			t.Errorf("%s has %s", id, limit)
		}
		if id.Group == admissionGroup && !sameContent(u, before[id]) {
			t.Errorf("the webhook is another: %q", differences(before[id], u))
		}
	}
	if i := slices.IndexFunc(r.Changes, func(c Change) bool { return strings.Contains(c.Note, "had to let things pass") }); i < 0 {
		t.Errorf("nobody says so: %+v", r.Changes)
	}
}

// What belongs to others is named and left alone, and keeps only those away that it judges.
func TestRestoreBesideForeignWebhook(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "foreignhook"
	free := configMap("default", "foreignhook", `"%s"`)
	text := func(v string) Objects {
		return objects("%s", namespace(ns)+configMap(ns, "a", `"`+v+`"`)+fmt.Sprintf(free, v))
	}
	inv, _ := mustApply(ctx, t, c, text("1"), Inventory{})
	inv, _ = mustApply(ctx, t, c, text("2"), inv)
	theirs, err := objects("%s", webhook(ns, ns, "Fail")).parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.learnKinds(ctx, theirs); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Create(ctx, theirs[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.client.Delete(context.Background(), theirs[0]) })
	r, err := c.Restore(ctx, text("1"), inv, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Left) != 1 || !strings.Contains(r.Left[0].Note, "is not of this release and is left alone") {
		t.Errorf("left %+v", r.Left)
	}
	expect(t, "changes", r.Changes, "unchanged Namespace "+ns, "configured ConfigMap default/foreignhook")
	// The next verb tries again.
	if err := c.client.Delete(ctx, theirs[0]); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if r, err = c.Restore(ctx, text("1"), inv, nil); err != nil || len(r.Left) == 0 {
			break
		}
		_ = sleep(ctx, pollInterval)
	}
	if err != nil || len(r.Left) > 0 {
		t.Errorf("the next time: %v, left %+v", err, r.Left)
	}
}

const policyText = `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  validations: [{expression: "%[2]s"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny]}
`

// A policy bites for a moment after it is gone, or changed.
func TestRestorePastPolicies(t *testing.T) {
	for name, before := range map[string]string{"added": "", "changed": "true"} {
		t.Run(name, func(t *testing.T) {
			ctx, c, ns := t.Context(), newCluster(t), "policy-"+name
			text := func(v, rule string) Objects {
				s := namespace(ns) + configMap(ns, "a", `"`+v+`"`)
				if rule != "" {
					s += fmt.Sprintf(policyText, ns, rule)
				}
				return objects("%s", s)
			}
			inv, _ := mustApply(ctx, t, c, text("1", before), Inventory{})
			next, _ := mustApply(ctx, t, c, text("2", "object.data.limit == '2'"), inv)
			old, err := text("1", "").parse()
			if err != nil {
				t.Fatal(err)
			}
			own(old[1], "store")
			for range 100 { // until the policy is in force
				if _, err = c.try(ctx, old[1]); err != nil {
					break
				}
				_ = sleep(ctx, pollInterval)
			}
			if err == nil {
				t.Fatal("the policy refuses nothing")
			}
			r, err := c.Restore(ctx, text("1", before), inv.Union(next), nil)
			if err != nil || len(r.Left) > 0 {
				t.Errorf("%v, left %+v", err, r.Left)
			}
		})
	}
}

// kubernetes#71925: a conversion webhook that is dead makes all objects of its kind unreadable.
func TestRestorePastDeadConversion(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	old := objects("%s", crd("deadconv", "Widget", "size")+custom("deadconv", "Widget", "default", "w", "size: big")+configMap("default", "deadconv", `"1"`))
	inv, _ := mustApply(ctx, t, c, old, Inventory{})
	before := dump(ctx, t, c, inv)
	second := crd("deadconv", "Widget", "size")
	i := strings.Index(second, "    - name: v1")
	second = second[:i] + strings.Replace(second[i:], "storage: true", "storage: false", 1) + strings.Replace(second[i:], "name: v1", "name: v2", 1) +
		"  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {url: \"https://127.0.0.1:1/\"}}}\n"
	plain, _, _ := strings.Cut(second, "  conversion:")
	next, _ := mustApply(ctx, t, c, objects("%s", plain+configMap("default", "deadconv", `"2"`)+
		strings.Replace(custom("deadconv", "Widget", "default", "w", "size: huge"), "/v1", "/v2", 1)), inv)
	_, _ = mustApply(ctx, t, c, objects("%s", second), next)
	var err error
	w := ID{Group: "deadconv.example.com", Version: "v1", Kind: "Widget", Namespace: "default", Name: "w"}
	for range 100 {
		if _, err = c.get(ctx, w); err != nil {
			break
		}
		_ = sleep(ctx, pollInterval)
	}
	if err == nil {
		t.Fatal("the conversion is not dead")
	}
	record := mustRecord(ctx, t, c, old, inv)
	if !slices.Contains(record.Left, w) {
		t.Errorf("the record has an object that cannot be read, or calls it missing: %+v", record.Left)
	}
	r, err := c.Restore(ctx, old, inv.Union(next), nil)
	if err != nil {
		t.Fatal(err)
	}
	after := dump(ctx, t, c, inv)
	for _, id := range inv.IDs() {
		if b, a := before[id.key()], after[id.key()]; a == nil || b.GetUID() != a.GetUID() || id.Kind != "CustomResourceDefinition" && !sameContent(b, a) {
			t.Errorf("%s: %v", id, a)
		}
	}
	if len(r.Left) != 1 || r.Left[0].Kind != "CustomResourceDefinition" || !strings.Contains(r.Left[0].Note, "the version v2 stays") {
		t.Errorf("left %+v", r.Left)
	}
}

// flux2#5715: managed fields that name a version which the kind has no longer keep every write away.
func TestRestoreFieldsOfVersionsThatAreGone(t *testing.T) {
	for name, served := range map[string]string{"gone": "", "unserved": "false"} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, "oldversions-"+name, func(ns string) wayBack {
				group := strings.ReplaceAll(ns, "-", "")
				old := crd(group, "Widget", "size")
				i := strings.Index(old, "    - name: v1")
				second := strings.NewReplacer("storage: true", "storage: false", "name: v1", "name: v2").Replace(old[i:])
				second = strings.Replace(second, "{size:", "{colour: {type: string}, size:", 1)
				failed := old + second
				if served != "" {
					old += strings.Replace(second, "served: true", "served: "+served, 1)
				}
				return wayBack{
					old:    old + custom(group, "Widget", "default", "w", "size: big"),
					failed: failed + strings.Replace(custom(group, "Widget", "default", "w", "size: small, colour: red"), "/v1", "/v2", 1),
					later: byHand(ID{Group: group + ".example.com", Version: "v2", Kind: "Widget", Namespace: "default", Name: "w"}, "kubectl-edit",
						types.MergePatchType, `{"spec":{"colour":"blue"}}`),
				}
			}, nil)
		})
	}
}

// An API whose Pod is down keeps away its own objects alone.
func TestRestoreBesideAnAPIThatIsAway(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "away"
	service := "---\napiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1.away.example.com}\n" +
		"spec: {group: away.example.com, version: v1, groupPriorityMinimum: 1, versionPriority: 1, insecureSkipTLSVerify: true, service: {name: none, namespace: " + ns + "}}\n"
	text := func(v, more string) Objects {
		return objects("%s", namespace(ns)+configMap(ns, "a", `"`+v+`"`)+more)
	}
	inv, _ := mustApply(ctx, t, c, text("1", ""), Inventory{})
	next, _ := mustApply(ctx, t, c, text("2", service), inv)
	inv = inv.Union(next).Union(NewInventory(ID{Group: "away.example.com", Version: "v1", Kind: "Widget", Namespace: ns, Name: "w"}))
	var err error
	for range 50 { // until the server knows of it
		if err = c.learn(onlyOnce(ctx), schema.GroupVersion{Group: "away.example.com", Version: "v1"}); err != nil {
			break
		}
		_ = sleep(ctx, pollInterval)
	}
	if !apierrors.IsServiceUnavailable(err) {
		t.Fatalf("the API is not away: %v", err)
	}
	mustRecord(ctx, t, c, text("1", ""), inv)
	_, err = c.DryRun(ctx, text("2", custom("away", "Widget", ns, "w", "size: big")), inv)
	if err == nil || !strings.Contains(err.Error(), "tell what it knows of away.example.com/v1") {
		t.Errorf("forward: %v", err)
	}
	r, err := c.Restore(ctx, text("1", service+custom("away", "Widget", ns, "w", "size: big")), inv, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Left) != 1 || r.Left[0].Kind != "Widget" || action(r, "ConfigMap") != Configured {
		t.Errorf("got %q, left %+v", brief(r.Changes), r.Left)
	}
	if r, err = c.Restore(ctx, text("1", ""), inv, nil); err != nil || len(r.Left) > 0 {
		t.Errorf("without it: %v, left %+v", err, r.Left)
	}
}
