package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sallyport-dev/sallyport/bundle/manifest"
)

// unpack writes a txtar archive to a folder and returns it.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func render(t *testing.T, paths ...string) *manifest.Rendered {
	t.Helper()
	r, err := renderPaths(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func renderPaths(paths ...string) (*manifest.Rendered, error) {
	var sources []manifest.Source
	for k, path := range paths {
		sources = append(sources, manifest.Source{Path: path, Place: manifest.Place{File: "release.yaml", Line: k + 1}})
	}
	return manifest.Render(context.Background(), sources)
}

// list gives "ID FILE:LINE" for every object, files relative to dir.
func list(r *manifest.Rendered, dir string) string {
	var lines []string
	for k := range r.Objects {
		lines = append(lines, r.Objects[k].ID()+" "+relative(r.Objects[k].Place, dir))
	}
	return strings.Join(lines, "\n")
}

func relative(p manifest.Place, dir string) string {
	return strings.TrimPrefix(p.String(), dir+string(filepath.Separator))
}

func TestRenderFolder(t *testing.T) {
	dir := unpack(t, `
-- 20-two.yml --
# a comment
---
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: x}
--- # next
# another comment

apiVersion: v1
kind: ConfigMap
metadata:
  name: b
...
-- 10-list.yaml --
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: c}
- apiVersion: v1
  kind: ConfigMapList
  items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: d}}
-- sub/x.json --
{
	"apiVersion": "v1", "kind": "ConfigMap",
	"metadata": {"name": "e"}
}
{"apiVersion": "apps/v1", "kind": "ConfigMap", "metadata": {"name": "e"}}
-- sub/kust/kustomization.yaml --
resources: [f.yaml]
namePrefix: pre-
-- sub/kust/f.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: f}}
-- sub/README.md --
not a manifest
-- .hidden/x.yaml --
not an object
-- .x.yaml --
not an object
`)
	want := `ConfigMap c 10-list.yaml:4
ConfigMap d 10-list.yaml:10
ConfigMap x/a 20-two.yml:4
ConfigMap b 20-two.yml:10
ConfigMap pre-f sub/kust/f.yaml:1
ConfigMap e sub/x.json:1
ConfigMap e sub/x.json:5`
	if got := list(render(t, dir), dir); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	want = "ConfigMap e sub/x.json:1\nConfigMap e sub/x.json:5\nConfigMap c 10-list.yaml:4\nConfigMap d 10-list.yaml:10"
	if got := list(render(t, filepath.Join(dir, "sub/x.json"), filepath.Join(dir, "10-list.yaml")), dir); got != want {
		t.Errorf("in the sources' order:\n%s\nwant:\n%s", got, want)
	}
}

// Values are those that kubectl would send.
func TestMarshal(t *testing.T) {
	dir := unpack(t, `
-- a.yaml --
kind: ConfigMap
apiVersion: v1
metadata: &m
  name: a
  labels: {z: "1", a: "on"}
spec: {replicas: 3, big: 9007199254740993, ratio: 0.5, whole: 1.0, live: yes, mode: 0644, text: "yes", nothing: ~, same: *m}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
data: {text: "two\nlines\n"}
`)
	want := `apiVersion: v1
kind: ConfigMap
metadata:
  labels:
    a: "on"
    z: "1"
  name: a
spec:
  big: 9007199254740993
  live: true
  mode: 420
  nothing: null
  ratio: 0.5
  replicas: 3
  same:
    labels:
      a: "on"
      z: "1"
    name: a
  text: "yes"
  whole: 1
---
apiVersion: v1
data:
  text: |
    two
    lines
kind: ConfigMap
metadata:
  name: b
`
	got, err := render(t, dir).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	again := filepath.Join(t.TempDir(), "again.yaml")
	if err := os.WriteFile(again, got, 0o644); err != nil {
		t.Fatal(err)
	}
	if second, err := render(t, again).Marshal(); err != nil || string(second) != string(got) {
		t.Errorf("read again it is (%v):\n%s", err, second)
	}
}

func TestRenderErrors(t *testing.T) {
	object := "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
	tests := []struct{ name, archive, message, hint string }{
		{"twice", "-- a.yaml --\n" + object + "-- b.yaml --\n\n" + object, "DIR/b.yaml:2: ConfigMap a is also in DIR/a.yaml:1", "keep one"},
		{"twice in other versions", "-- a.yaml --\n{apiVersion: x/v1, kind: A, metadata: {name: a}}\n---\n{apiVersion: x/v2, kind: A, metadata: {name: a}}", "a.yaml:3: A a is also in", ""},
		{"no object", "-- a.yaml --\na: b", "DIR/a.yaml:1: this is no Kubernetes object: it has no apiVersion", "other files"},
		{"a list of nothing", "-- a.yaml --\n- a", "DIR/a.yaml:1: this is no Kubernetes object: it has no fields", ""},
		{"no name", "-- a.yaml --\n\n{apiVersion: v1, kind: ConfigMap}", "DIR/a.yaml:2: ConfigMap has no name", "metadata.name"},
		{"generated name", "-- a.yaml --\n{apiVersion: v1, kind: Job, metadata: {generateName: a-}}", "a.yaml:1: Job has generateName", "give it a name"},
		{"boolean name", "-- a.yaml --\n{apiVersion: v1, kind: A, metadata: {name: a, namespace: n}}", "a.yaml:1: A has a name or namespace that YAML takes for", "in quotes"},
		{"bad item", "-- a.yaml --\napiVersion: v1\nkind: List\nitems:\n- a: b\n", "DIR/a.yaml:4: this is no Kubernetes object", ""},
		{"text in a list", "-- a.yaml --\napiVersion: v1\nkind: List\nitems:\n- text\n", "DIR/a.yaml:4: item 0 of the list is no Kubernetes object", ""},
		{"syntax", "-- a.yaml --\n" + object + "---\na: b\n c: d: e\n", "DIR/a.yaml:4: this is not valid YAML: mapping values are not allowed", ""},
		{"repeated key", "-- a.yaml --\n" + object + "---\na: b\nc: d\na: e\n", `DIR/a.yaml:5: the key "a" is already set on line 3`, "keep one"},
		{"beside a separator", "-- a.yaml --\n" + object + "--- {a: b}\n", "DIR/a.yaml:2: there is content on the line of a separator", "next line"},
		{"JSON", "-- a.json --\n{\"a\": 1,\n}", "DIR/a.json:1: this is not JSON", ""},
		{"empty folder", "-- a.txt --\n", "release.yaml:1: manifests: no object is in DIR", ""},
		{"only comments", "-- a.yaml --\n# nothing\n", "no object is in DIR", ""},
		{"helm", "-- Chart.yaml --\nname: x\n", "DIR: this is not a chart that can be read: validation: chart.metadata.version is required", ""},
		{"helm below", "-- x/Chart.yaml --\nname: x\n", "DIR/x: this is not a chart that can be read", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := unpack(t, tt.archive)
			_, err := renderPaths(dir)
			checkError(t, err, strings.ReplaceAll(tt.message, "DIR", dir), tt.hint)
		})
	}
}

func checkError(t *testing.T, err error, message, hint string) {
	t.Helper()
	var e *manifest.Error
	if !errors.As(err, &e) || e.Reason() != "manifest" {
		t.Fatalf("got %v, want an *Error", err)
	}
	if !strings.Contains(e.Error(), message) {
		t.Errorf("message %q, want %q", e.Error(), message)
	}
	if !strings.Contains(e.Hint(), hint) {
		t.Errorf("hint %q, want %q", e.Hint(), hint)
	}
}

func TestRenderAbsent(t *testing.T) {
	_, err := renderPaths(filepath.Join(t.TempDir(), "absent"))
	checkError(t, err, "release.yaml:1: manifests: stat ", "relative to the file")
}

// Folders that lead in circles end in an error.
func TestRenderCircle(t *testing.T) {
	dir := unpack(t, "-- a.yaml --\n{apiVersion: v1, kind: A, metadata: {name: a}}\n")
	if err := os.Symlink(dir, filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	_, err := renderPaths(dir)
	checkError(t, err, "nested deeper than 16 levels", "")
}

func TestRenderStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := manifest.Render(ctx, []manifest.Source{{Path: t.TempDir()}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRenderLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 32<<20+1); err != nil {
		t.Fatal(err)
	}
	_, err := renderPaths(path)
	checkError(t, err, fmt.Sprintf("%s: this is larger than %d bytes", path, 32<<20), "")
}
