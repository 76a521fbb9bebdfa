package kube

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// workload is a DaemonSet or Deployment whose pods have this spec beside their container's name and image.
func workload(kind, ns, name, container, pod string) string {
	return fmt.Sprintf("---\napiVersion: apps/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec:\n  selector: {matchLabels: {app: %[2]s}}\n"+
		"  template: {metadata: {labels: {app: %[2]s}}, spec: {containers: [{name: c, image: i%[4]s}]%[5]s}}\n", kind, name, ns, container, pod)
}

func nodePort(ns, name, port string) string {
	return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + ns + "}\n" +
		"spec: {type: NodePort, externalTrafficPolicy: Local, selector: {app: a}, ports: [{port: 80, nodePort: " + port + "}]}\n"
}

// specOf is what people wrote of an object, and its annotations.
func specOf(ctx context.Context, t *testing.T, c *Cluster, id ID) map[string]any {
	t.Helper()
	u, err := c.getAnyVersion(ctx, id)
	if err != nil || u == nil {
		t.Fatal(id, u, err)
	}
	spec, _, _ := unstructured.NestedMap(u.Object, "spec")
	annotations := u.GetAnnotations()
	delete(annotations, "deprecated.daemonset.template.generation") // a count of the changes
	return map[string]any{"spec": spec, "annotations": fmt.Sprint(annotations)}
}

// TestHolderMakesWay is timoni#622 and fleet#792: a renamed workload needs what the old one holds, which is deleted only once
// the new one is well. The old one is stopped, kept, and started again on the way back.
func TestHolderMakesWay(t *testing.T) {
	for name, c := range map[string]struct {
		kind, old, new, shared, note string
		stopped                      func(spec map[string]any) bool
	}{
		"host port": {
			kind: "DaemonSet", old: workload("DaemonSet", "way", "edge", ", ports: [{containerPort: 8443, hostPort: 8443}]", ""),
			new:  workload("DaemonSet", "way", "edge-proxy", ", ports: [{containerPort: 8443, hostPort: 8443}]", ""),
			note: "it is stopped on every node first: it holds port 8443/TCP of the host, which DaemonSet way/edge-proxy needs",
			stopped: func(spec map[string]any) bool {
				s, _, _ := unstructured.NestedStringMap(spec, "template", "spec", "nodeSelector")
				return s[nowhere] == "true"
			}},
		"port of a pod on the host's network": {
			kind: "Deployment", old: workload("Deployment", "way", "edge", ", ports: [{containerPort: 53, protocol: UDP}]", ", hostNetwork: true"),
			new:     workload("Deployment", "way", "edge-proxy", ", ports: [{containerPort: 53, hostPort: 53, protocol: UDP}]", ""),
			note:    "it is scaled to 0 first: it holds port 53/UDP of the host, which Deployment way/edge-proxy needs",
			stopped: scaledToZero},
		"volume": {
			kind: "Deployment", old: workload("Deployment", "way", "edge", "", ", volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"),
			new:     workload("Deployment", "way", "edge-proxy", "", ", volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"),
			shared:  claim("way", "data", "1Gi", ""),
			note:    "it is scaled to 0 first: it holds the volume of PersistentVolumeClaim way/data, which Deployment way/edge-proxy needs",
			stopped: scaledToZero},
		"node port": {
			kind: "Service", old: nodePort("way", "edge", "30443"), new: nodePort("way", "edge-proxy", "30443"),
			note:    "it is closed to the outside first: it holds node port 30443/TCP, which Service way/edge-proxy needs",
			stopped: func(spec map[string]any) bool { return spec["type"] == "ClusterIP" }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cluster, ns := t.Context(), newCluster(t), "way-"+strings.ReplaceAll(name[:4], " ", "")
			in := func(text string) Objects {
				text = strings.NewReplacer("namespace: way", "namespace: "+ns, "'", "").Replace(namespace(ns) + c.shared + text)
				return objects("%s", text)
			}
			old, new := in(c.old), in(c.new)
			inv, _ := mustApply(ctx, t, cluster, old, Inventory{})
			id := ID{Group: "apps", Version: "v1", Kind: c.kind, Namespace: ns, Name: "edge"}
			if c.kind == "Service" {
				id.Group = ""
			}
			before := specOf(ctx, t, cluster, id)

			changes := mustDryRun(ctx, t, cluster, new, inv)
			last := changes[len(changes)-1]
			note := strings.ReplaceAll(c.note, " way/", " "+ns+"/")
			if last.Action != Pruned || last.Note != note {
				t.Errorf("the dry run says %s %s: %q, want %q", last.Action, last.ID, last.Note, note)
			}
			if err := Refusal("x", changes); err != nil {
				t.Error(err)
			}
			all := inv.Union(mustInventory(ctx, t, cluster, new))
			for range 2 { // a trial that was cut short begins again
				stopped, err := cluster.MakeWay(ctx, new, all)
				if err != nil || len(stopped) > 1 || len(stopped) == 1 && stopped[0].Action != Stopped {
					t.Fatal(stopped, err)
				}
				if s := specOf(ctx, t, cluster, id); !c.stopped(s["spec"].(map[string]any)) {
					t.Fatalf("the holder is not stopped: %v", s)
				}
			}
			mustApply(ctx, t, cluster, new, all)

			if _, err := cluster.MakeWay(ctx, old, all); err != nil {
				t.Fatal(err)
			}
			restored, err := cluster.Restore(ctx, old, all, nil)
			if err != nil || len(restored.Left) > 0 {
				t.Fatal(restored, err)
			}
			if after := specOf(ctx, t, cluster, id); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("after the way back:\n%v\nbefore:\n%v", after, before)
			}
			// A release that has it again starts it, too.
			if _, err := cluster.MakeWay(ctx, new, all); err != nil {
				t.Fatal(err)
			}
			if _, err := cluster.MakeWay(ctx, old, all); err != nil {
				t.Fatal(err)
			}
			mustApply(ctx, t, cluster, old, all)
			if after := specOf(ctx, t, cluster, id); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("applied again:\n%v\nbefore:\n%v", after, before)
			}
		})
	}
}

func scaledToZero(spec map[string]any) bool { return spec["replicas"] == int64(0) }

func mustInventory(ctx context.Context, t *testing.T, c *Cluster, want Objects) Inventory {
	t.Helper()
	inv, err := c.Inventory(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// What others have scaled is started with as many as there were; nobody is stopped for a volume that all may mount.
func TestHolderStartsAsItWas(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "scaled"
	volume := ", volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"
	old := objects("%s", namespace(ns)+claim(ns, "data", "1Gi", "")+workload("Deployment", ns, "old", "", volume))
	inv, _ := mustApply(ctx, t, c, old, Inventory{})
	id := ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "old"}
	u, err := c.get(ctx, id)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	if err := unstructured.SetNestedField(u.Object, int64(3), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Update(ctx, u); err != nil {
		t.Fatal(err)
	}
	before := specOf(ctx, t, c, id)
	new := objects("%s", namespace(ns)+claim(ns, "data", "1Gi", "")+workload("Deployment", ns, "new", "", volume))
	if _, err := c.MakeWay(ctx, new, inv); err != nil || !scaledToZero(specOf(ctx, t, c, id)["spec"].(map[string]any)) {
		t.Fatal("it is not stopped", err)
	}
	if _, err := c.Restore(ctx, old, inv, nil); err != nil {
		t.Fatal(err)
	}
	if after := specOf(ctx, t, c, id); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after the way back:\n%v\nbefore:\n%v", after, before)
	}
	many := strings.Replace(claim(ns, "many", "1Gi", ""), "ReadWriteOnce", "ReadWriteMany", 1)
	mine := objects("%s", namespace(ns)+many+strings.ReplaceAll(workload("Deployment", ns, "mine", "", volume), "claimName: data", "claimName: many"))
	inv2, _ := mustApply(ctx, t, c, mine, inv)
	yours := objects("%s", namespace(ns)+many+strings.ReplaceAll(workload("Deployment", ns, "yours", "", volume), "claimName: data", "claimName: many"))
	if stopped, err := c.MakeWay(ctx, yours, inv2); err != nil || len(stopped) > 0 {
		t.Errorf("stopped for a volume that all may mount: %+v, %v", stopped, err)
	}
}

// The release is applied only once the pods of what was stopped are gone.
func TestHolderIsWaitedFor(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "waited"
	port := ", ports: [{containerPort: 8443, hostPort: 8443}]"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+workload("Deployment", ns, "old", port, "")), Inventory{})
	createTheirs(ctx, t, c, "apiVersion: v1\nkind: Pod\nmetadata: {name: old-1, namespace: "+ns+", labels: {app: old}}\nspec: {containers: [{name: c, image: i}]}\n")
	hurried := connect(t, shared.Kubeconfig)
	hurried.config.Settle = time.Second
	new := objects("%s", namespace(ns)+workload("Deployment", ns, "new", port, ""))
	if _, err := hurried.MakeWay(ctx, new, inv); err == nil || !strings.Contains(err.Error(), "Pod waited/old-1 of Deployment waited/old still runs") {
		t.Errorf("got %v", err)
	}
}
