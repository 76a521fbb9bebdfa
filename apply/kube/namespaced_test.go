package kube

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRightsInOneNamespace goes all the way there and back as a user who may do nothing outside of one namespace, not even
// look at the namespace itself (helm#31610).
func TestRightsInOneNamespace(t *testing.T) {
	ctx, admin := t.Context(), newCluster(t)
	_, _ = mustApply(ctx, t, admin, objects("%s", namespace("till")+`---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: till, namespace: till}
rules:
  - {apiGroups: ["", apps], resources: [configmaps, secrets, deployments], verbs: [get, list, create, update, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: till, namespace: till}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: till}
subjects: [{kind: User, name: till, apiGroup: rbac.authorization.k8s.io}]
`), Inventory{})
	c := connect(t, kubeconfigAs(t, "till"))
	maps := func(n int, value string) string {
		text := manyMaps("till", n, func(int) string { return value })
		return strings.TrimPrefix(text, namespace("till")) + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: till}\nstringData: {pin: p" + value + "}\n"
	}
	old, next := objects("%s", maps(5, "x")), objects("%s", maps(4, "z"))
	oldInv, changes := mustApply(ctx, t, c, old, Inventory{})
	if len(changes) != 6 {
		t.Errorf("changes %q", brief(changes))
	}
	dry, err := c.DryRun(ctx, next, oldInv)
	if err != nil || len(refusedIn(dry)) > 0 {
		t.Fatalf("dry run: %q, %v", brief(dry), err)
	}
	var record bytes.Buffer
	if err := c.Record(ctx, next, oldInv, &record); err != nil {
		t.Fatal(err)
	}
	newInv, _ := mustApply(ctx, t, c, next, oldInv)
	before, err := ReadRecord(&record)
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Restore(ctx, old, oldInv.Union(newInv), before)
	if err != nil || len(back.Left) > 0 {
		t.Fatalf("restore: %+v, %v", back, err)
	}
	if pruned, err := c.Prune(ctx, oldInv, Inventory{}); err != nil || len(pruned) != 6 {
		t.Errorf("prune: %q, %v", brief(pruned), err)
	}
}

func refusedIn(changes []Change) (out []Change) {
	for _, ch := range changes {
		if ch.Action == Conflict {
			out = append(out, ch)
		}
	}
	return out
}

// kubeconfigAs is the shared cluster's kubeconfig for another user, whom the administrator plays.
func kubeconfigAs(t *testing.T, user string) string {
	t.Helper()
	b, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	m["users"].([]any)[0].(map[string]any)["user"].(map[string]any)["as"] = user
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
