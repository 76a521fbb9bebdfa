package manifest_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle/manifest"
)

const everywhere = `
-- a.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      initContainers:
      - {name: i, image: init}
      containers:
      - name: a
        image: app:1
      - name: b   # its image is set elsewhere
      ephemeralContainers:
      - name: e
        image: debug:latest
      volumes:
      - name: v
        image: {reference: data:3}
      - name: w
        emptyDir: {}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c, namespace: shop}
spec: {jobTemplate: {spec: {template: {spec: {containers: [
  {name: a,
   image: job:1}]}}}}}
---
# a custom resource with pod templates in a list
apiVersion: example.com/v1
kind: Fleet
metadata: {name: f}
spec:
  image: main:1
  none: ~
  parts:
  - image: part:1
    template: {spec: {containers: [{image: inner:1}]}}
  - other: {}
  - image: part:2
  more: [more:1, more:2]
  containers: 7
  volumes: [text]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fleets.example.com}
spec: {default: {containers: [{name: x, image: never}]}}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
  spec:
    containers:
    - name: a
      image: &shared pod:1
    - name: b
      image: *shared
    - name: c
      image: ""
`

func fleetFields() []manifest.ImageField {
	var fields []manifest.ImageField
	for _, path := range []string{"spec.image", "spec.none", "spec.absent.image", "spec.parts[*].image", "spec.more[*]", "spec.parts[0].image", "spec.parts[9].image"} {
		fields = append(fields, manifest.ImageField{APIVersion: "example.com/v1", Kind: "Fleet", Path: path})
	}
	return append(fields, manifest.ImageField{APIVersion: "example.com/v1", Kind: "Other", Path: "spec"})
}

func TestImages(t *testing.T) {
	dir := unpack(t, everywhere)
	uses, err := render(t, dir).Images(fleetFields())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range uses {
		lines = append(lines, fmt.Sprintf("%s %s %s = %s", relative(u.Place, dir), u.Object, u.Field, u.Name))
	}
	want := `a.yaml:8 Deployment d spec.template.spec.initContainers[0].image = docker.io/library/init:latest
a.yaml:11 Deployment d spec.template.spec.containers[0].image = docker.io/library/app:1
a.yaml:15 Deployment d spec.template.spec.ephemeralContainers[0].image = docker.io/library/debug:latest
a.yaml:18 Deployment d spec.template.spec.volumes[0].image.reference = docker.io/library/data:3
a.yaml:27 CronJob shop/c spec.jobTemplate.spec.template.spec.containers[0].image = docker.io/library/job:1
a.yaml:38 Fleet f spec.parts[0].template.spec.containers[0].image = docker.io/library/inner:1
a.yaml:34 Fleet f spec.image = docker.io/library/main:1
a.yaml:37 Fleet f spec.parts[0].image = docker.io/library/part:1
a.yaml:40 Fleet f spec.parts[2].image = docker.io/library/part:2
a.yaml:41 Fleet f spec.more[0] = docker.io/library/more:1
a.yaml:41 Fleet f spec.more[1] = docker.io/library/more:2
a.yaml:59 Pod p spec.containers[0].image = docker.io/library/pod:1
a.yaml:61 Pod p spec.containers[1].image = docker.io/library/pod:1`
	got := strings.Join(lines, "\n")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestImagesErrors(t *testing.T) {
	dir := unpack(t, "-- a.yaml --\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: Not/An:Image\n")
	_, err := render(t, dir).Images(nil)
	var e *manifest.ImageError
	if !errors.As(err, &e) || e.Reason() != "image" || !strings.Contains(e.Hint(), "HOST/REPOSITORY:TAG") {
		t.Fatalf("got %v", err)
	}
	want := filepath.Join(dir, "a.yaml") + `:7: Pod p: spec.containers[0].image: "Not/An:Image" is not an image reference`
	if !strings.HasPrefix(e.Error(), want) {
		t.Errorf("got %q, want %q", e.Error(), want)
	}

	fleet := render(t, unpack(t, everywhere))
	for path, want := range map[string]string{
		"spec.parts.image": "a.yaml:37: Fleet f: spec.parts is not a set of fields",
		"spec.image[*]":    "a.yaml:34: Fleet f: spec.image is not a list",
		"spec.image[1]":    "a.yaml:34: Fleet f: spec.image is not a list",
		"spec.parts[*]":    "a.yaml:37: Fleet f: spec.parts[0] is not text",
		"spec.containers":  "a.yaml:42: Fleet f: spec.containers is not text",
	} {
		_, err := fleet.Images([]manifest.ImageField{{APIVersion: "example.com/v1", Kind: "Fleet", Path: path}})
		checkError(t, err, want, "spec.imageFields")
	}
}

func TestImageFieldCheck(t *testing.T) {
	for path, good := range map[string]bool{
		"spec.image": true, "spec.a-b[*].c[0][*]": true, "image": true,
		"": false, ".spec": false, "spec.": false, "spec..image": false, "spec[a]": false, "spec[-1]": false,
		"[0]": false, "spec[": false, "spec[0]x": false, "spec image": false, "spec[12345678]": false,
	} {
		if err := (manifest.ImageField{APIVersion: "v1", Kind: "Pod", Path: path}).Check(); (err == nil) != good {
			t.Errorf("%q: %v", path, err)
		}
	}
	if err := (manifest.ImageField{Kind: "Pod", Path: "spec"}).Check(); err == nil {
		t.Error("a field without apiVersion is taken")
	}
}

func TestPin(t *testing.T) {
	dir := unpack(t, everywhere)
	r := render(t, dir)
	before, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	uses, err := r.Images(fleetFields())
	if err != nil {
		t.Fatal(err)
	}
	sum := digest.FromString("x")
	err = r.Pin(uses, map[string]digest.Digest{
		"docker.io/library/init:latest": sum, "docker.io/library/data:3": sum, "docker.io/library/more:2": sum, "docker.io/library/none:1": sum,
	})
	if err != nil {
		t.Fatal(err)
	}
	after, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("image: init\n", "image: docker.io/library/init:latest@"+sum.String()+"\n",
		"reference: data:3\n", "reference: docker.io/library/data:3@"+sum.String()+"\n",
		"- more:2\n", "- docker.io/library/more:2@"+sum.String()+"\n").Replace(string(before))
	if string(after) != want {
		t.Errorf("got:\n%s\nwant:\n%s", after, want)
	}
	if err := render(t, unpack(t, "-- a.yaml --\n{apiVersion: v1, kind: A, metadata: {name: a}}\n")).Pin(uses, map[string]digest.Digest{"docker.io/library/init:latest": sum}); err == nil {
		t.Error("uses of other objects are taken")
	}
}
