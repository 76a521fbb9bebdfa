package helm

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// unpack writes the files of an archive in a new folder.
func unpack(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "chart")
	if len(archive.Files) == 0 {
		t.Fatal("there are no files")
	}
	for _, f := range archive.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func shop(t *testing.T) string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/shop.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, archive)
}

// chartOf makes a chart of its templates alone.
func chartOf(t *testing.T, templates string) string {
	t.Helper()
	return unpack(t, txtar.Parse([]byte("-- Chart.yaml --\n{apiVersion: v2, name: small, version: 1.0.0}\n"+templates)))
}

// stock gives what helm template prints of a chart.
func stock(t *testing.T, chart string, o Options) []kubeyaml.Object {
	t.Helper()
	args := []string{"template", o.Release, chart, "--namespace", o.Namespace, "--kube-version", o.KubeVersion, "--include-crds", "--skip-tests"}
	for _, path := range o.Values {
		args = append(args, "--values", path)
	}
	for _, key := range slices.Sorted(maps.Keys(o.Set)) {
		args = append(args, "--set", key+"="+o.Set[key])
	}
	for _, api := range o.APIVersions {
		args = append(args, "--api-versions", api)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), testtools.Helm(t), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	var objects []kubeyaml.Object
	parts := releaseutil.SplitManifests(string(out))
	names := make([]string, 0, len(parts))
	for name := range parts {
		names = append(names, name)
	}
	sort.Sort(releaseutil.BySplitManifestsOrder(names))
	for _, name := range names {
		raw, err := yaml.YAMLToJSON([]byte(parts[name]))
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) == "null" {
			continue
		}
		found, err := kubeyaml.FromJSON(raw, kubeyaml.Place{})
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, found...)
	}
	return objects
}

// same compares objects with those of helm template, and their order.
func same(t *testing.T, got, want []kubeyaml.Object) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("helm template gives nothing")
	}
	if err := compare(want, got); err != nil {
		t.Errorf("not as helm template has it: %v", err)
	}
}

func render(t *testing.T, path string, o Options) *Output {
	t.Helper()
	chart, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	out, err := chart.Render(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAsHelmTemplate(t *testing.T) {
	dir := shop(t)
	values := func(names ...string) []string {
		for i := range names {
			names[i] = filepath.Join(dir, names[i])
		}
		return names
	}
	for name, o := range map[string]Options{
		"defaults":      {},
		"files":         {Values: values("prod.yaml", "last.yaml")},
		"files in turn": {Values: values("last.yaml", "prod.yaml")},
		"set": {Values: values("prod.yaml"), Set: map[string]string{"replicas": "5", "ratio": "1.10", "enabled": "false", "list": "{x,y}",
			"list[1]": "z", "image.tag": "007", "global.team": `a\,b`, "nothing": "null", "cache.enabled": "true"}},
		"condition": {Set: map[string]string{"cache.enabled": "false"}},
		"tags":      {Set: map[string]string{"tags.observability": "true"}},
		"APIs":      {APIVersions: []string{"monitoring.coreos.com/v1/ServiceMonitor"}},
		"version":   {KubeVersion: "1.31.4"},
	} {
		t.Run(name, func(t *testing.T) {
			o.Release, o.Namespace = "store", "retail"
			if o.KubeVersion == "" {
				o.KubeVersion = DefaultKubeVersion
			}
			out := render(t, dir, o)
			same(t, out.Objects, stock(t, dir, o))
			for _, o := range out.Objects {
				if strings.Contains(o.Name(), "test") {
					t.Errorf("%s is there", o.ID())
				}
			}
		})
	}
}

// A packed chart gives what its folder gives.
func TestArchive(t *testing.T) {
	dir := shop(t)
	cmd := exec.CommandContext(t.Context(), testtools.Helm(t), "package", dir, "--destination", filepath.Dir(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	archive := filepath.Join(filepath.Dir(dir), "shop-1.2.3+build.4.tgz")
	if !IsChart(archive) || !IsChart(dir) || IsChart(filepath.Join(dir, "templates")) {
		t.Error("charts are not told from other folders")
	}
	o := Options{Release: "store", Namespace: "retail", KubeVersion: DefaultKubeVersion}
	same(t, render(t, archive, o).Objects, render(t, dir, o).Objects)
}

// What is left out is the chart's name, the namespace default, and stock Helm's Kubernetes.
func TestDefaults(t *testing.T) {
	out := render(t, shop(t), Options{})
	if out.Release != "shop" || out.Namespace != "default" {
		t.Errorf("rendered as %s in %s", out.Release, out.Namespace)
	}
	for _, o := range out.Objects {
		if o.Kind() == "ConfigMap" && o.Name() == "shop" {
			if kube := o.Fields["data"].(map[string]any)["kube"]; kube != "v1.37.0" {
				t.Errorf("for Kubernetes %v", kube)
			}
			return
		}
	}
	t.Error("no ConfigMap shop")
}

const head = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"

// helm/helm#3053: what is made by chance or by the clock would be another one in each bundle.
func TestChanceIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ templates, field string }{
		"password":       {head + `data: {password: {{ randAlphaNum 12 | b64enc }}}`, "data.password"},
		"authority":      {head + `{{ $ca := genCA "x" 365 }}` + "\n" + `data: {ca.crt: {{ $ca.Cert | b64enc }}}`, "data[ca.crt]"},
		"key":            {head + `data: {key: {{ genPrivateKey "ed25519" | b64enc }}}`, "data.key"},
		"uuid":           {head + `stringData: {id: {{ uuidv4 }}}`, "stringData.id"},
		"hash with salt": {head + `stringData: {pass: {{ htpasswd "a" "b" | quote }}}`, "stringData.pass"},
		"clock":          {head + `stringData: {at: {{ now }}}`, "stringData.at"},
		"date":           {head + `stringData: {at: {{ now | date "2006-01-02" | quote }}}`, "stringData.at"},
		"year":           {head + `stringData: {at: {{ date "2006" now | quote }}}`, "stringData.at"},
		"field":          {head + `stringData: {at: {{ now.Year | quote }}}`, "stringData.at"},
		"date in a helper": {head + `stringData: {at: {{ include "d" . }}}` + "\n-- templates/_d.tpl --\n" + `{{ define "now" }}{{ end }}{{ define "d" }}{{ $n := now }}{{ if true }}{{ $n | date "2006-01" }}{{ end }}{{ end }}`,
			"stringData.at"},
		"annotation":    {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, annotations: {roll: {{ randNumeric 9 | quote }}}}", "metadata.annotations.roll"},
		"name":          {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x-{{ randAlpha 9 | lower }}}", "metadata.name"},
		"order of keys": {head + `stringData: {k: {{ dict "a" 1 "b" 1 "c" 1 "d" 1 "e" 1 "f" 1 "g" 1 | keys | join "," | quote }}}`, "stringData.k"},
		"only sometimes": {"{{ range until (int (randInt 1 40)) }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x{{ . }}}\n{{ end }}",
			"is not there each time"},
	} {
		t.Run(name, func(t *testing.T) {
			chart, err := Open(chartOf(t, "-- templates/x.yaml --\n"+test.templates+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = chart.Render(Options{})
			var e *kubeyaml.Error
			if !errors.As(err, &e) || !strings.Contains(e.Problem, test.field) || !strings.HasSuffix(e.File, "templates/x.yaml") || e.Advice == "" {
				t.Errorf("got %v, want one that names %s", err, test.field)
			}
		})
	}
}

// Functions that sound like chance and give the same each time are none, nor is a template of the name.
func TestNoChance(t *testing.T) {
	dir := chartOf(t, "-- templates/x.yaml --\n"+head+`{{- define "now" }}a{{ end }}
stringData: {a: {{ include "now" . }}, b: {{ derivePassword 1 "long" "p" "u" "s" | quote }}, c: {{ $now := "x" }}{{ $now }}, d: {{ .Values.now }}}
-- values.yaml --
now: b
`)
	out := render(t, dir, Options{})
	want := map[string]any{"a": "a", "c": "x", "d": "b"}
	got := out.Objects[0].Fields["stringData"].(map[string]any)
	delete(got, "b")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestLookupIsRefused(t *testing.T) {
	chart, err := Open(chartOf(t, "-- templates/_p.tpl --\n{{ define \"p\" }}\n{{ (lookup \"v1\" \"Secret\" .Release.Namespace \"x\").data }}{{ end }}\n-- templates/x.yaml --\n"+head+`data: {p: {{ include "p" . }}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = chart.Render(Options{})
	var e *kubeyaml.Error
	if !errors.As(err, &e) || !strings.HasSuffix(e.File, "templates/_p.tpl") || e.Line != 2 || !strings.Contains(e.Problem, "lookup asks a cluster") || e.Advice == "" {
		t.Errorf("got %v", err)
	}
}

// What a capability hid, and what an upgrade would give, is noted.
func TestNotes(t *testing.T) {
	dir := shop(t)
	notes := strings.Join(render(t, dir, Options{}).Notes, "\n")
	for _, want := range []string{"without monitoring.coreos.com/v1/ServiceMonitor", "ServiceMonitor shop", "ConfigMap elsewhere/shop-on, Deployment shop-web otherwise at an upgrade"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note says %q:\n%s", want, notes)
		}
	}
	notes = strings.Join(render(t, dir, Options{APIVersions: []string{"monitoring.coreos.com/v1/ServiceMonitor"}}).Notes, "\n")
	if strings.Contains(notes, "ServiceMonitor") {
		t.Errorf("noted for nothing: %s", notes)
	}
	notes = strings.Join(render(t, chartOf(t, "-- templates/x.yaml --\n"+head+"type: a\ntype: b\n"), Options{}).Notes, "\n")
	if !strings.Contains(notes, "Secret x has a key that stands twice") {
		t.Errorf("got %s", notes)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		files   string
		options Options
		want    string // in the message
	}{
		"syntax":       {files: "-- templates/x.yaml --\na: 1\n{{ if }}\n", want: "templates/x.yaml:2: this template does not render: missing value for if"},
		"function":     {files: "-- templates/x.yaml --\n{{ .Values.a.b.c }}\n", want: "templates/x.yaml:1: this template does not render: nil pointer"},
		"required":     {files: "-- templates/x.yaml --\n{{ required \"name a host\" .Values.host }}\n", want: "templates/x.yaml:1: this template does not render: name a host"},
		"no YAML":      {files: "-- templates/x.yaml --\na: b: c\n", want: "templates/x.yaml"},
		"no object":    {files: "-- templates/x.yaml --\na: b\n", want: "templates/x.yaml: this is no Kubernetes object"},
		"number label": {files: "-- templates/x.yaml --\n" + head + "\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {b: 1}}}\n", want: "metadata.labels.b is the number 1"},
		"dependency":   {files: "-- Chart.yaml --\n{apiVersion: v2, name: small, version: 1.0.0, dependencies: [{name: far, version: 1.0.0}]}\n", want: "lacks charts that it depends on: far"},
		"library":      {files: "-- Chart.yaml --\n{apiVersion: v2, name: small, version: 1.0.0, type: library}\n", want: "this is a library chart"},
		"old cluster":  {files: "-- Chart.yaml --\n{apiVersion: v2, name: small, version: 1.0.0, kubeVersion: '>=1.99'}\n", want: "is for Kubernetes >=1.99, and is rendered for v1.37.0"},
		"version":      {options: Options{KubeVersion: "new"}, want: `helm.kubeVersion "new" is no version`},
		"release":      {options: Options{Release: "A_b"}, want: `"A_b" is no name for a release`},
		"set":          {options: Options{Set: map[string]string{"hosts": "a,b"}}, want: `hosts cannot be set: key "b" has no value`},
		"schema":       {files: "-- values.schema.json --\n{\"required\": [\"host\"]}\n", want: "host"},
	} {
		t.Run(name, func(t *testing.T) {
			chart, err := Open(chartOf(t, "-- templates/y.yaml --\n"+head+test.files))
			if err == nil {
				_, err = chart.Render(test.options)
			}
			var typed interface{ Reason() string }
			if err == nil || !errors.As(err, &typed) || typed.Reason() != "manifest" || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A hostile or mistaken archive costs bounded memory.
func TestSizesAreBounded(t *testing.T) {
	if _, err := Read("x.tgz", bytes.NewReader(make([]byte, 64))); err == nil {
		t.Error("no archive is taken")
	}
	dir := chartOf(t, "-- big --\n")
	for i := range 21 {
		if err := os.WriteFile(filepath.Join(dir, "big"+string(rune('a'+i))), make([]byte, 5<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "more than 104857600 bytes") {
		t.Errorf("got %v", err)
	}
}
