package kube

import (
	"errors"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: pick-engine, namespace: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec:
      containers:
        - {name: app, image: "registry.example.com/pick-engine:%s"}
`

func namespace(name string) string {
	return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n---\n"
}

func configMap(ns, name, value string) string {
	return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: " + ns + "}\ndata: {limit: " + value + "}\n"
}

// brief is what happened, in a form that fits a table: "created Namespace a".
func brief(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, string(c.Action)+" "+c.String())
	}
	return out
}

func expect(t *testing.T, what string, changes []Change, want ...string) {
	t.Helper()
	if got := brief(changes); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestApplyTwoReleasesAndNothing(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "two"
	first := objects(namespace(ns)+deployment+configMap(ns, "limits", `"1"`)+configMap(ns, "old", `"1"`), ns, 2, "a", "a", "1")

	dry, err := c.DryRun(ctx, first, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run on nothing", dry, "created Namespace two",
		"created ConfigMap two/limits", "created ConfigMap two/old", "created Deployment two/pick-engine")
	if note := dry[3].Note; !strings.Contains(note, "its namespace comes with this release") {
		t.Errorf("the dry run says of a namespace that is still to come: %q", note)
	}
	inv, changes := mustApply(ctx, t, c, first, Inventory{})
	expect(t, "first apply", changes, brief(dry)...)
	if listed, err := c.Inventory(ctx, first); err != nil || !slices.Equal(listed.IDs(), inv.IDs()) {
		t.Errorf("Inventory = %v, %v; want %v", listed.IDs(), err, inv.IDs())
	}

	_, changes = mustApply(ctx, t, c, first, inv)
	expect(t, "the same again", changes, "unchanged Namespace two",
		"unchanged ConfigMap two/limits", "unchanged ConfigMap two/old", "unchanged Deployment two/pick-engine")

	second := objects(namespace(ns)+deployment+configMap(ns, "limits", `"2"`), ns, 3, "a", "a", "2")
	dry, err = c.DryRun(ctx, second, inv)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run of the second", dry, "unchanged Namespace two", "configured ConfigMap two/limits",
		"configured Deployment two/pick-engine", "pruned ConfigMap two/old")
	fields := []string{"spec.replicas: 2 -> 3",
		"spec.template.spec.containers[app].image: registry.example.com/pick-engine:1 -> registry.example.com/pick-engine:2"}
	if !slices.Equal(dry[2].Fields, fields) {
		t.Errorf("fields %q, want %q", dry[2].Fields, fields)
	}
	inv2, changes := mustApply(ctx, t, c, second, inv)
	expect(t, "second apply", changes, brief(dry[:3])...)
	pruned, err := c.Prune(ctx, inv, inv2)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", pruned, "pruned ConfigMap two/old")
	again, err := c.Prune(ctx, inv, inv2)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune again", again)
}

func TestRefusedObjectsChangeNothing(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "refused"
	inv, _ := mustApply(ctx, t, c, objects(namespace(ns)+deployment, ns, 1, "a", "a", "1"), Inventory{})

	bad := objects(namespace(ns)+deployment+configMap(ns, "new", `"1"`)+
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: "+ns+"}\nspec: {ports: [{port: 99999}]}\n"+
		"---\napiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g, namespace: "+ns+"}\n", ns, 1, "b", "b", "1")
	_, _, err := c.Apply(ctx, bad, inv)
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a RefusedError", err)
	}
	expect(t, "refused", refused.Refused, "conflict Service refused/s", "conflict Deployment refused/pick-engine",
		"conflict Gadget refused/g")
	for i, want := range []string{"it is not valid: spec.ports[0].port: must be between 1 and 65535",
		"spec.selector cannot be changed", "the cluster does not know this kind"} {
		if note := refused.Refused[i].Note; !strings.Contains(note, want) {
			t.Errorf("%s: note %q lacks %q", refused.Refused[i].ID, note, want)
		}
	}
	if refused.Reason() != "refused" || !strings.Contains(refused.Hint(), ForceAnnotation) {
		t.Errorf("reason %q, hint %q", refused.Reason(), refused.Hint())
	}
	if u, err := c.get(ctx, ID{Version: "v1", Kind: "ConfigMap", Namespace: ns, Name: "new"}); u != nil || err != nil {
		t.Errorf("an object was created beside refused ones: %v, %v", u, err)
	}
	dry, err := c.DryRun(ctx, bad, inv)
	if err != nil {
		t.Fatalf("a dry run reports refusals as changes, not as %v", err)
	}
	expect(t, "dry run", dry, "unchanged Namespace refused", "created ConfigMap refused/new", "conflict Service refused/s",
		"conflict Deployment refused/pick-engine", "conflict Gadget refused/g")
}

func TestForceRecreates(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "force"
	inv, _ := mustApply(ctx, t, c, objects(namespace(ns)+deployment, ns, 1, "a", "a", "1"), Inventory{})
	id := ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "pick-engine"}
	before, err := c.get(ctx, id)
	if err != nil || before == nil {
		t.Fatal(before, err)
	}
	forced := strings.Replace(deployment, "pick-engine, ", "pick-engine, annotations: {"+ForceAnnotation+": enabled}, ", 1)
	_, changes := mustApply(ctx, t, c, objects(namespace(ns)+forced, ns, 1, "b", "b", "1"), inv)
	expect(t, "apply", changes, "unchanged Namespace force", "recreated Deployment force/pick-engine")
	after, err := c.get(ctx, id)
	if err != nil || after == nil {
		t.Fatal(after, err)
	}
	if after.GetUID() == before.GetUID() {
		t.Error("it is still the same object")
	}
}

func TestOwnersArePrunedAndOthersKept(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "owners"
	// What was there before, and what another release has.
	theirs := objects("%s", namespace(ns)+configMap(ns, "theirs", `"1"`)).YAML
	other, _ := mustApply(ctx, t, c, Objects{Release: "other", YAML: theirs}, Inventory{})
	before := objects("%s", configMap(ns, "before", `"1"`))
	objs, err := before.parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.client.Create(ctx, objs[0]); err != nil {
		t.Fatal(err)
	}

	_, _, err = c.Apply(ctx, objects("%s", configMap(ns, "theirs", `"2"`)), Inventory{})
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "ConfigMap owners/theirs: it belongs to the release other") {
		t.Errorf("taking another release's object: got %v", err)
	}
	// The same site under a new name is no other.
	if _, _, err = c.Apply(ctx, objects("%s", configMap(ns, "theirs", `"2"`)), other); err != nil {
		t.Errorf("a release that was renamed: %v", err)
	}

	pinned := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: pinned, namespace: " + ns +
		", annotations: {" + PruneAnnotation + ": disabled}}\n"
	claim := "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s, namespace: " + ns + "%s}\n" +
		"spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n"
	want := objects(configMap(ns, "before", `"2"`)+configMap(ns, "mine", `"1"`)+pinned+claim+claim,
		"data", "", "scratch", ", annotations: {"+PruneAnnotation+": enabled}")
	// A site lists what it is about to apply before it does: that must not make it the owner.
	listed, err := c.Inventory(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	inv, changes := mustApply(ctx, t, c, want, listed)
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Name == "before" })
	if !strings.Contains(changes[i].Note, "taken over") || !slices.Equal(changes[i].Fields, []string{"data.limit: 1 -> 2"}) {
		t.Errorf("an object that was there before: %+v", changes[i])
	}
	_, changes = mustApply(ctx, t, c, want, inv)
	if i := slices.IndexFunc(changes, func(c Change) bool { return c.Action != Unchanged }); i >= 0 {
		t.Errorf("the same again changes %+v", changes[i])
	}
	// A claim has a finalizer that nobody removes here.
	live, err := c.get(ctx, ID{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: ns, Name: "scratch"})
	if err != nil || live == nil {
		t.Fatal(live, err)
	}
	live.SetFinalizers(nil)
	if err := c.client.Update(ctx, live); err != nil {
		t.Fatal(err)
	}

	dry, err := c.prune(ctx, inv, true)
	if err != nil {
		t.Fatal(err)
	}
	pruned, err := c.Prune(ctx, inv, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", pruned, "kept PersistentVolumeClaim owners/data", "pruned PersistentVolumeClaim owners/scratch",
		"kept ConfigMap owners/before", "pruned ConfigMap owners/mine", "kept ConfigMap owners/pinned")
	expect(t, "what the dry run said", dry, brief(pruned)...)
	for i, want := range map[int]string{0: "holds data", 2: "before sallyport", 4: "its annotation"} {
		if !strings.Contains(pruned[i].Note, want) {
			t.Errorf("%s is kept because %q, want %q", pruned[i].ID, pruned[i].Note, want)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	secret := func(v string) Objects {
		return objects("apiVersion: v1\nkind: Secret\nmetadata: {name: masked}\nstringData: {same: fixed, password: %s}\n", v)
	}
	inv, _ := mustApply(ctx, t, c, secret("hunter-one"), Inventory{})
	dry, err := c.DryRun(ctx, secret("hunter-two"), inv)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"data.password: ***** -> ***** (changed)"}
	if len(dry) != 1 || dry[0].Action != Configured || !slices.Equal(dry[0].Fields, want) {
		t.Errorf("got %+v, want one change with %q", dry, want)
	}
	if _, err := c.Prune(ctx, inv, Inventory{}); err != nil {
		t.Fatal(err)
	}
	u, err := c.get(ctx, ID{Version: "v1", Kind: "Secret", Namespace: "default", Name: "masked"})
	if u != nil || err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("after prune there is %v, %v", u, err)
	}
}
