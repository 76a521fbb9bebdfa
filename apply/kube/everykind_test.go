package kube

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// notReleased are the kinds that testdata/kinds.yaml lacks, and why.
var notReleased = map[string]string{
	"Binding": "is an act, not an object", "Eviction": "is an act", "TokenRequest": "is an act", "Scale": "is part of another",
	"TokenReview": "is a question", "SelfSubjectReview": "is a question", "LocalSubjectAccessReview": "is a question",
	"SelfSubjectAccessReview": "is a question", "SelfSubjectRulesReview": "is a question", "SubjectAccessReview": "is a question",
	"ComponentStatus": "is no object", "Event": "is a controller's", "Node": "is the kubelet's", "Endpoints": "is a controller's",
	"EndpointSlice": "is a controller's", "CSINode": "is the kubelet's", "CSIStorageCapacity": "is a controller's",
	"VolumeAttachment": "is a controller's", "ControllerRevision": "is a controller's", "IPAddress": "is the server's",
	"CertificateSigningRequest": "is a question", "ResourceSlice": "is a driver's", "Namespace": "has no optional fields",
	"ServiceCIDR": "cannot be changed, and is the cluster's", "APIService": "is tried with those that are away",
	"VolumeAttributesClass": "cannot be changed, as a StorageClass", "DeviceClass": "needs a driver", "ResourceClaim": "needs a driver",
	"ResourceClaimTemplate": "needs a driver", "MutatingAdmissionPolicy": "is as the validating one",
	"MutatingAdmissionPolicyBinding": "is as the validating one", "StorageVersionMigration": "is an act",
}

// drawnAtRandom are the paths at which the server draws a value: the first two, of a Job that is made anew, every time, the
// others if they were not recorded.
var drawnAtRandom = []string{"spec.selector.matchLabels", "spec.template.metadata.labels", "spec.clusterIP", "spec.healthCheckNodePort", "spec.ports[http].nodePort", "spec.ports[dns].nodePort",
	"spec.ports[80].nodePort", "spec.ports[53].nodePort"}

// Every optional field of every kind is taken away, alone, from an object that has it: the server fills in what it likes, and
// all of it goes again. What was there is recorded of every other object.
func TestRestoreEveryFieldOfEveryKind(t *testing.T) {
	if testing.Short() {
		t.Skip("makes some hundred objects")
	}
	ctx, c, ns := t.Context(), newCluster(t), "everyfield"
	_, _ = mustApply(ctx, t, c, objects("%s", namespace(ns)), Inventory{})
	all := accepted(t, c, variantsOf(t, ns), withoutIt)
	inv, _ := mustApply(ctx, t, c, joined(t, all, withoutIt), Inventory{})
	all = accepted(t, c, all, withIt)
	if len(all) < 300 {
		t.Fatalf("only %d fields can be tried", len(all))
	}
	before := dump(ctx, t, c, inv)
	var half []variant
	for i, v := range all {
		if i%2 == 0 {
			half = append(half, v)
		}
	}
	record := mustRecord(ctx, t, c, joined(t, half, withIt), Inventory{})
	_, _ = mustApply(ctx, t, c, joined(t, all, withIt), inv)
	r, err := c.Restore(ctx, joined(t, all, withoutIt), inv, record)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range r.Left {
		t.Errorf("%s is left: %s", left.ID, left.Note)
	}
	after := dump(ctx, t, c, inv)
	for _, v := range all {
		id := idOf(v.without)
		b, a, w := before[id.key()], after[id.key()], wayBack{random: drawnAtRandom}
		if record.object(id) != nil {
			w.random = drawnAtRandom[:2]
		}
		if a == nil {
			t.Errorf("%s is gone", id)
		} else if !sameContent(b, a) && !w.drawn(differences(b, a)) {
			t.Errorf("%s %s without %s came back different: %q", id.Kind, id.Name, v.path, differences(b, a))
		}
	}
}

// variant is an object without one of its fields, and with all.
type variant struct {
	without, full *unstructured.Unstructured
	path          string
}

func variantsOf(t *testing.T, ns string) (all []variant) {
	t.Helper()
	text, err := os.ReadFile("testdata/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for k, doc := range strings.Split(string(text), "\n---\n")[1:] {
		for n := 0; ; n++ {
			name := strings.NewReplacer("NAME", fmt.Sprintf("%s-%d-%d", ns, k, n), "NS", ns)
			objs, err := objects("%s", name.Replace(doc)).parse()
			if err != nil {
				t.Fatal(err)
			}
			full := objs[0]
			without := full.DeepCopy()
			path, ok := takeAwayNth(without.Object, n)
			if !ok {
				break
			}
			annotate(full, ForceAnnotation, "enabled")
			all = append(all, variant{without, full, path})
		}
	}
	return all
}

// takeAwayNth removes the nth field, in the order of their paths, that an object can be without.
func takeAwayNth(u map[string]any, n int) (path string, ok bool) {
	var walk func(at string, v any) bool
	walk = func(at string, v any) bool {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				p := join(at, k)
				if !slices.Contains([]string{"apiVersion", "kind", "metadata", "metadata.name", "metadata.namespace"}, p) {
					if n == 0 {
						path = p
						delete(v, k)
						return true
					}
					n--
				}
				if walk(p, v[k]) {
					return true
				}
			}
		case []any:
			for i, item := range v {
				if walk(fmt.Sprintf("%s[%d]", at, i), item) {
					return true
				}
			}
		}
		return false
	}
	return path, walk("", u)
}

func withoutIt(v variant) *unstructured.Unstructured { return v.without }

func withIt(v variant) *unstructured.Unstructured { return v.full }

func joined(t *testing.T, all []variant, of func(variant) *unstructured.Unstructured) Objects {
	t.Helper()
	var text strings.Builder
	for _, v := range all {
		b, err := of(v).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(b) + "\n")
	}
	return objects("%s", text.String())
}

// accepted leaves out what the server does not take: fields that are not optional, or not beside others.
func accepted(t *testing.T, c *Cluster, all []variant, of func(variant) *unstructured.Unstructured) []variant {
	t.Helper()
	dry, err := c.DryRun(t.Context(), joined(t, all, of), Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	refused := map[ID]string{}
	for _, ch := range dry {
		orphans := ch.Action == Recreated && ch.Kind == "StatefulSet" // for which there is no controller here
		if ch.Action == Conflict || ch.OneWay != "" || orphans {
			refused[ch.key()] = ch.Note + ch.OneWay
		}
	}
	return slices.DeleteFunc(all, func(v variant) bool {
		why, no := refused[idOf(v.without).key()]
		if no {
			t.Logf("%s without %s: %s", v.without.GetKind(), v.path, why)
		}
		return no
	})
}

// The table has every kind that the server has and a release can have.
func TestEveryKindIsTried(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	text, err := os.ReadFile("testdata/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objs, err := parseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, u := range objs {
		have[u.GetKind()] = true
	}
	for _, group := range append([]string{""}, kubernetesGroups...) {
		versions := []string{"v1", "v2"}
		for _, v := range versions {
			gv := ID{Group: group, Version: v}.gvk().GroupVersion()
			resources, err := c.resources(ctx, gv)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range resources {
				if slices.Contains(r.Verbs, "create") && !have[r.Kind] && notReleased[r.Kind] == "" {
					t.Errorf("%s %s is not tried", gv, r.Kind)
				}
			}
		}
	}
}
