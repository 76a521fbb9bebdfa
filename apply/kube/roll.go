package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Pods do not notice that a ConfigMap or Secret which they read has changed, or not all of them at one time, so a trial
// would judge what still runs with the old content. A workload that reads ConfigMaps or Secrets of its release therefore
// has a hash of what it reads in its pod template: it restarts when that changes, on the way back, too. A workload that
// came without the hash gets one when that content first changes, and is not restarted for the hash alone.

// hashAnnotation is on the pod templates of workloads that read ConfigMaps or Secrets of their release.
const hashAnnotation = "sallyport.dev/config-hash"

// reading is what the pods of a workload read of the release.
type reading struct {
	from map[source]*item
	hash string
}

// source is a ConfigMap or Secret, or one key of it.
type source struct {
	kind, name string
	key        string // empty: all of them
}

// findReadings tells of each workload what it reads of the release, and hashes it.
func (p *plan) findReadings(noRoll bool) {
	p.noRoll = noRoll
	there := map[ID]*item{}
	for _, it := range p.items() {
		if g := it.change.ID; g.Group == "" && (g.Kind == "ConfigMap" || g.Kind == "Secret") {
			there[it.change.ID.key()] = it
		}
	}
	for _, it := range p.items() {
		if !rolls(it.want) {
			continue
		}
		from := map[source]*item{}
		for _, s := range sourcesOf(it.want) {
			if read := there[ID{Kind: s.kind, Namespace: it.want.GetNamespace(), Name: s.name}.key()]; read != nil {
				from[s] = read
			}
		}
		if len(from) == 0 {
			continue
		}
		it.reading = &reading{from: from}
		it.reading.hash = it.reading.sum(func(i *item) *unstructured.Unstructured { return i.want })
		if !noRoll {
			setHash(it.want, it.reading.hash)
		}
	}
}

// rolls tells of workloads that replace their pods when the template changes.
func rolls(u *unstructured.Unstructured) bool {
	return u.GroupVersionKind().Group == "apps" && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, u.GetKind())
}

// sourcesOf lists the ConfigMaps and Secrets that the pods of a workload read.
func sourcesOf(u *unstructured.Unstructured) (out []source) {
	pod, _, _ := unstructured.NestedMap(u.Object, "spec", "template", "spec")
	add := func(kind string, from map[string]any, key string, path ...string) {
		if name, _, _ := unstructured.NestedString(from, path...); name != "" {
			out = append(out, source{kind, name, key})
		}
	}
	for _, c := range slices.Concat(objectsAt(pod, "containers"), objectsAt(pod, "initContainers")) {
		for _, e := range objectsAt(c, "env") {
			for field, kind := range map[string]string{"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"} {
				key, _, _ := unstructured.NestedString(e, "valueFrom", field, "key")
				add(kind, e, key, "valueFrom", field, "name")
			}
		}
		for _, e := range objectsAt(c, "envFrom") {
			add("ConfigMap", e, "", "configMapRef", "name")
			add("Secret", e, "", "secretRef", "name")
		}
	}
	for _, v := range objectsAt(pod, "volumes") {
		add("ConfigMap", v, "", "configMap", "name")
		add("Secret", v, "", "secret", "secretName")
		for _, s := range objectsAt(v, "projected", "sources") {
			add("ConfigMap", s, "", "configMap", "name")
			add("Secret", s, "", "secret", "name")
		}
	}
	return out
}

// sum hashes what is read, as one of the two states of the objects has it.
func (r *reading) sum(of func(*item) *unstructured.Unstructured) string {
	h := sha256.New()
	for _, s := range slices.SortedFunc(maps.Keys(r.from), func(a, b source) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}) {
		b, err := json.Marshal([]any{s.kind, s.name, s.key, contentAt(of(r.from[s]), s.key)})
		if err != nil {
			continue // what was read from JSON can be written
		}
		_, _ = io.WriteString(h, string(b)+"\n") // never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// contentAt is what is read of a ConfigMap or Secret.
func contentAt(u *unstructured.Unstructured, key string) map[string]any {
	out := map[string]any{}
	for _, field := range []string{"data", "binaryData"} {
		values, _, _ := unstructured.NestedMap(u.Object, field)
		for k, v := range values {
			if key == "" || k == key {
				out[k] = v
			}
		}
	}
	return out
}

// settleHash decides on the hash in the workload's template by the live object. It tells whether it changed what is wanted.
func (c *Cluster) settleHash(ctx context.Context, p *plan, it *item, live *unstructured.Unstructured) (changed bool, err error) {
	if it.reading == nil {
		return false, nil
	}
	had, want := hashOf(live), it.reading.hash
	switch {
	case p.noRoll:
		want = had
	case had == "":
		same, err := c.readsTheSame(ctx, it.reading)
		if err != nil {
			return false, err
		}
		if same {
			want = ""
		}
	}
	changed = want != hashOf(it.want)
	setHash(it.want, want)
	return changed, nil
}

// readsTheSame tells whether what a workload reads is on the target as it is wanted.
func (c *Cluster) readsTheSame(ctx context.Context, r *reading) (bool, error) {
	seen := map[ID]*unstructured.Unstructured{}
	for s, it := range r.from {
		id := it.change.ID
		live, ok := seen[id]
		if !ok {
			var err error
			if live, err = c.get(ctx, id); err != nil {
				return false, c.failed("look at "+id.String(), err)
			}
			seen[id] = live
		}
		if live == nil || !reflect.DeepEqual(contentAt(live, s.key), contentAt(it.want, s.key)) {
			return false, nil
		}
	}
	return true, nil
}

// followHash makes what is wanted of a workload's hash be what there is: a release that differs in nothing else is as it was
// applied.
func followHash(want, live *unstructured.Unstructured) {
	if rolls(want) {
		setHash(want, hashOf(live))
	}
}

func hashOf(u *unstructured.Unstructured) string {
	hash, _, _ := unstructured.NestedString(u.Object, "spec", "template", "metadata", "annotations", hashAnnotation)
	return hash
}

// setHash writes the hash, or takes it away if it is empty.
func setHash(u *unstructured.Unstructured, hash string) {
	path := []string{"spec", "template", "metadata", "annotations"}
	annotations, _, err := unstructured.NestedMap(u.Object, path...)
	switch {
	case err != nil:
		return // the server says what is wrong with it
	case hash != "":
		_ = unstructured.SetNestedField(u.Object, hash, append(path, hashAnnotation)...)
	case annotations[hashAnnotation] != nil:
		delete(annotations, hashAnnotation)
		if len(annotations) == 0 {
			unstructured.RemoveNestedField(u.Object, path...)
			return
		}
		_ = unstructured.SetNestedMap(u.Object, annotations, path...)
	}
}

// noteReaders says of each ConfigMap and Secret that changes which workloads read it, and whether they restart.
func (p *plan) noteReaders() {
	readers := map[*item][]string{}
	for _, it := range p.items() {
		if it.reading == nil {
			continue
		}
		for _, from := range it.reading.from {
			if name := it.change.String(); !slices.Contains(readers[from], name) {
				readers[from] = append(readers[from], name)
			}
		}
	}
	for it, by := range readers {
		if it.change.Action != Configured && it.change.Action != Recreated {
			continue
		}
		ends := ", restarted for it"
		if p.noRoll {
			ends = ", not restarted for it (spec.roll: false)"
		}
		slices.Sort(by)
		note := "read by " + strings.Join(by, ", ") + ends
		it.change.Note = strings.TrimPrefix(it.change.Note+"; "+note, "; ")
	}
}
