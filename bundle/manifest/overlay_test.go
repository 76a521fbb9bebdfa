package manifest_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

const webYAML = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example.com/web:1", env: [{name: MODE, value: base}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: shop}
data: {max: "10", odd: "yes", text: "a\nb\n"}
`

// overlaid renders overlays of which the folders are given, by "NAME label=value,…".
func overlaid(t *testing.T, files map[string]string, folders ...string) (*manifest.Rendered, []manifest.Overlay, error) {
	t.Helper()
	all := map[string]string{"base/web.yaml": webYAML}
	maps.Copy(all, files)
	a := &txtar.Archive{}
	for name, text := range all {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	sources := []manifest.Source{{Path: filepath.Join(dir, "base")}}
	r, err := manifest.Render(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	var list []manifest.OverlaySource
	for _, f := range folders {
		name, match, _ := strings.Cut(f, " ")
		m := map[string]string{}
		for pair := range strings.SplitSeq(match, ",") {
			k, v, _ := strings.Cut(pair, "=")
			m[k] = v
		}
		list = append(list, manifest.OverlaySource{Overlay: bundle.Overlay{Name: name, Match: m}, Path: filepath.Join(dir, name), Place: manifest.Place{File: "release.yaml", Line: 9}})
	}
	done, err := r.Overlays(t.Context(), list, sources)
	return r, done, err
}

// site gives what a site with the labels gets, as YAML.
func site(t *testing.T, r *manifest.Rendered, overlays []manifest.Overlay, labels map[string]string) string {
	t.Helper()
	stream, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var taken []overlay.Layer
	for i := range overlays {
		b, err := overlays[i].Document()
		if err != nil {
			t.Fatal(err)
		}
		l := overlays[i].Layer
		if l.Changes, err = overlay.Parse(b); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if l.Holds(labels) {
			taken = append(taken, l)
		}
	}
	c, err := overlay.Combine(taken)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := c.YAML(stream)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func expectParts(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q is not in\n%s", w, got)
		}
	}
}

// Base, region, site: kustomizations and components, with and without the base that they would have for kustomize itself.
func TestOverlaysRender(t *testing.T) {
	r, all, err := overlaid(t, map[string]string{
		"emea/kustomization.yaml": `
resources: [../base, extra.yaml]
patches:
- path: replicas.yaml
- target: {kind: Deployment, name: "w.*"}
  patch: |-
    - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: REGION, value: emea}}
images:
- {name: registry.example.com/web, newTag: "2"}
`,
		"emea/replicas.yaml":        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2}\n",
		"emea/extra.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: emea, namespace: shop}\ndata: {vat: on-top}\n",
		"large/kustomization.yaml":  "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nconfigMapGenerator: [{name: more, namespace: shop, literals: [a=b]}]\nreplicas: [{name: web, count: 2}]\n",
		"store-1/kustomization.yml": "resources: [../emea]\npatches:\n- path: vat.yaml\n- path: gone.yaml\n",
		"store-1/vat.yaml":          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: emea, namespace: shop}\ndata: {vat: included}\n",
		"store-1/gone.yaml":         "$patch: delete\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: limits, namespace: shop}\n",
	}, "store-1 region=emea,store=1", "large size=large", "emea region=emea")
	if err != nil {
		t.Fatal(err)
	}
	if names := []string{all[0].Name, all[1].Name, all[2].Name}; !slices.Equal(names, []string{"emea", "large", "store-1"}) {
		t.Errorf("the order is %v", names)
	}
	baseline, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got := site(t, r, all, map[string]string{"region": "apac"}); got != string(baseline) {
		t.Errorf("a site that takes no overlay gets\n%s", got)
	}
	emea := site(t, r, all, map[string]string{"region": "emea"})
	expectParts(t, emea, "replicas: 2", "value: emea", "web:2", "vat: on-top", `max: "10"`)
	expectParts(t, site(t, r, all, map[string]string{"size": "large"}), "replicas: 2", "name: more-")
	store := site(t, r, all, map[string]string{"region": "emea", "store": "1"})
	expectParts(t, store, "vat: included", "web:2")
	if strings.Contains(store, "limits") {
		t.Errorf("what the site's overlay deletes is there:\n%s", store)
	}
	if n := len(all[0].Changes); n != 4 {
		t.Errorf("emea has %d edits: %v", n, all[0].Changes)
	}
}

// Images of overlays are found with their place, and pinned where they are set, alone or within something new.
func TestOverlaysImages(t *testing.T) {
	r, all, err := overlaid(t, map[string]string{
		"emea/kustomization.yaml": "images: [{name: registry.example.com/web, newTag: '2'}]\npatches: [{path: side.yaml}]\nresources: [pod.yaml]\n",
		"emea/side.yaml":          "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {containers: [{name: side, image: 'registry.example.com/side:1'}]}}}\n",
		"emea/pod.yaml":           "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: p, image: 'registry.example.com/pod:1'}]}\n",
	}, "emea region=emea")
	if err != nil {
		t.Fatal(err)
	}
	uses, err := all[0].Touched.Images(nil)
	if err != nil {
		t.Fatal(err)
	}
	pins := map[string]digest.Digest{}
	for _, u := range uses {
		pins[u.Name.String()] = digest.FromString(u.Name.String())
	}
	for name, file := range map[string]string{"registry.example.com/side:1": "side.yaml", "registry.example.com/pod:1": "pod.yaml", "registry.example.com/web:2": "kustomization.yaml"} {
		i := slices.IndexFunc(uses, func(u manifest.ImageUse) bool { return u.Name.String() == name })
		if i < 0 || filepath.Base(uses[i].File) != file || uses[i].Line == 0 {
			t.Errorf("%s is not found in %s: %+v", name, file, uses)
		}
	}
	if err := all[0].Pin(uses, pins); err != nil {
		t.Fatal(err)
	}
	got := site(t, r, all, map[string]string{"region": "emea"})
	for name, d := range pins {
		expectParts(t, got, name+"@"+d.String())
	}
}

// Each has one fault, and the error names the overlay and what is wrong with it.
func TestOverlaysRefused(t *testing.T) {
	patch := func(name, replicas string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: shop}\nspec: {replicas: " + replicas + "}\n"
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a patch of no object": {map[string]string{"emea/kustomization.yaml": "patches: [{path: p.yaml}]\n", "emea/p.yaml": patch("wbe", "2")},
			[]string{"emea/p.yaml:1", "overlay emea: the patch for Deployment shop/wbe hits nothing: there is no such object"}},
		"an old patch of no object": {map[string]string{"emea/kustomization.yaml": "patchesStrategicMerge:\n- p.yaml\n", "emea/p.yaml": patch("wbe", "2")},
			[]string{"emea/p.yaml:1", "overlay emea: the patch for Deployment shop/wbe hits nothing"}},
		"a patch in place of no object": {map[string]string{"emea/kustomization.yaml": "patches:\n- patch: |-\n    {apiVersion: v1, kind: ConfigMap, metadata: {name: none, namespace: shop}}\n"},
			[]string{"emea/kustomization.yaml", "the patch for ConfigMap shop/none hits nothing"}},
		"a target that selects nothing": {map[string]string{"emea/kustomization.yaml": "patches:\n- path: p.yaml\n  target: {kind: Deployment, name: wbe}\n", "emea/p.yaml": "- {op: remove, path: /spec/replicas}\n"},
			[]string{"kustomization.yaml:2", "overlay emea: the patch p.yaml hits nothing: no object is kind Deployment, name wbe"}},
		"an inline patch for nothing": {map[string]string{"emea/kustomization.yaml": "patches:\n- patch: |-\n    - {op: remove, path: /spec/replicas}\n  target: {kind: Deployment, labelSelector: a=b}\n"},
			[]string{"the patch for kind Deployment, labels a=b hits nothing"}},
		"a component's patch for nothing": {map[string]string{"emea/kustomization.yaml": "components: [../part]\n", "part/kustomization.yaml": "kind: Component\npatches:\n- path: p.yaml\n  target: {name: wbe}\n", "part/p.yaml": "- {op: remove, path: /spec/replicas}\n"},
			[]string{"part/kustomization.yaml", "overlay emea: the patch p.yaml hits nothing"}},
		"an image that nothing names": {map[string]string{"emea/kustomization.yaml": "images:\n- {name: registry.example.com/wbe, newTag: '2'}\n"},
			[]string{"kustomization.yaml:2", "overlay emea: the image registry.example.com/wbe hits nothing"}},
		"an image by half its name":    {map[string]string{"emea/kustomization.yaml": "images:\n- {name: web, newTag: '2'}\n"}, []string{"image web hits nothing"}},
		"replicas of nothing":          {map[string]string{"emea/kustomization.yaml": "replicas: [{name: wbe, count: 2}]\n"}, []string{"overlay emea does not build", "wbe"}},
		"no kustomization":             {map[string]string{"emea/p.yaml": patch("web", "2")}, []string{"release.yaml:9", "overlay emea: there is no kustomization.yaml"}},
		"a field that kustomize lacks": {map[string]string{"emea/kustomization.yaml": "patchez: []\n"}, []string{"overlay emea does not build", "patchez"}},
		"something to fetch":           {map[string]string{"emea/kustomization.yaml": "resources: ['https://example.com/x.yaml']\n"}, []string{"would be fetched"}},
		"a file outside of its folder": {map[string]string{"emea/kustomization.yaml": "patches: [{path: ../p.yaml}]\n", "p.yaml": patch("web", "2")}, []string{"is not in or below"}},
		"no text where there must be":  {map[string]string{"emea/kustomization.yaml": "resources: [p.yaml]\n", "emea/p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: shop}\ndata: {max: 20}\n"}, []string{"data.max is the number 20, not text"}},
		"an image that is none":        {map[string]string{"emea/kustomization.yaml": "images: [{name: registry.example.com/web, newName: 'A B'}]\n"}, []string{"spec.template.spec.containers[0].image"}},
		"a fight": {map[string]string{"emea/kustomization.yaml": "patches: [{path: p.yaml}]\n", "emea/p.yaml": patch("web", "2"), "large/kustomization.yaml": "patches: [{path: p.yaml}]\n", "large/p.yaml": patch("web", "3")},
			[]string{"large/kustomization.yaml", "overlays emea (region=emea) and large (size=large) fight over Deployment shop/web: spec.replicas"}},
	} {
		folders := []string{"emea region=emea"}
		if c.files["large/kustomization.yaml"] != "" {
			folders = append(folders, "large size=large")
		}
		_, all, err := overlaid(t, c.files, folders...)
		for i := range all {
			if err == nil {
				_, err = all[i].Touched.Images(nil)
			}
		}
		if err == nil {
			t.Errorf("%s: it renders", name)
			continue
		}
		expectParts(t, err.Error(), c.want...)
	}
}

// An overlay for the sites that take both ends a fight, also by saying what one of the two says.
func TestOverlaysSettle(t *testing.T) {
	for _, replicas := range []string{"2", "3", "4"} {
		count := func(n string) string { return "replicas: [{name: web, count: " + n + "}]\n" }
		r, all, err := overlaid(t, map[string]string{"emea/kustomization.yaml": count("2"), "large/kustomization.yaml": count("3"), "both/kustomization.yaml": count(replicas)},
			"large size=large", "both region=emea,size=large", "emea region=emea")
		if err != nil {
			t.Errorf("%s: %v", replicas, err)
			continue
		}
		expectParts(t, site(t, r, all, map[string]string{"region": "emea", "size": "large", "more": "x"}), "replicas: "+replicas)
		expectParts(t, site(t, r, all, map[string]string{"size": "large", "region": "apac"}), "replicas: 3")
	}
}

// Kustomize passes over some objects, and must not be taken to have deleted them.
func TestOverlaysLeaveWhatKustomizeLeavesOut(t *testing.T) {
	_, all, err := overlaid(t, map[string]string{
		"base/local.yaml":         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: local, annotations: {config.kubernetes.io/local-config: 'true'}}\n",
		"emea/kustomization.yaml": "replicas: [{name: web, count: 2}]\n"}, "emea region=emea")
	if err != nil || len(all[0].Changes) != 1 || all[0].Changes[0].Op != overlay.Set {
		t.Errorf("%v, %v", all, err)
	}
}
