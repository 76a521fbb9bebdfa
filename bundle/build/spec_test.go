package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

const wholeSpec = `apiVersion: sallyport.dev/v1
kind: Release
metadata:
  name: store-platform
spec:
  version: 2.4.0
  sequence: 17
  platforms: [linux/amd64, linux/aarch64]
  images:
    - name: registry.example.com/pick-engine:2.4.0
      source: oci:./images/pick-engine
      key: pick-engine.pub
    - name: nginx
  imageFields:
    - {apiVersion: example.com/v1, kind: Engine, path: spec.image}
  manifests:
    - path: ./manifests
  checks:
    - name: ready
      kubernetes: {wait: all}
    - name: order
      http: {url: "http://127.0.0.1:8080/health", status: 200, body: "^ok"}
      interval: 2s
      timeout: 60s
      failureLimit: 3
      required: false
    - {name: port, tcp: {address: "127.0.0.1:22"}}
    - {name: script, exec: {command: [/bin/true]}}
    - {name: mirror, image: {}}
  requires:
    releases: ">=2.2.0"
    labels: {store-format: large}
  catchUp: immediate
  expires: 2027-06-30T00:00:00Z
  oneWay:
    - {kind: PersistentVolumeClaim, namespace: shop, name: orders}
    - {kind: CustomResourceDefinition, name: tills.example.com}
  roll: false
  labels: {region: [apac, emea], store-format: []}
  sites:
    - {match: {region: emea}, kustomize: ./emea, owner: emea-team, expires: 2027-01-01T00:00:00Z}
    - {name: large, match: {store-format: large}, kustomize: ./emea}
` + wholeOS

const wholeOS = `  os:
    version: "12.8"
    parts:
      - {name: root, image: ./root.img}
      - {name: kernel, image: "oci:./os:12.8#vmlinuz"}
`

func writeSpec(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"manifests", "chart", "emea"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"release.yaml": text, "pick-engine.pub": "key", "chart/Chart.yaml": "name: x", "values.yaml": "", "root.img": "bytes", "empty.img": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "release.yaml")
}

func TestLoadWhole(t *testing.T) {
	file := writeSpec(t, wholeSpec)
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "store-platform" || s.Version != "2.4.0" || s.Sequence != 17 || s.CatchUp != "immediate" {
		t.Errorf("got %+v", s)
	}
	if len(s.Platforms) != 2 || bundle.FormatPlatform(s.Platforms[1]) != "linux/arm64" {
		t.Errorf("platforms %v", s.Platforms)
	}
	if len(s.Images) != 2 || s.Images[0].Line != 10 || s.Images[1].Name.String() != "docker.io/library/nginx:latest" {
		t.Errorf("images %+v", s.Images)
	}
	if s.Images[0].Key != filepath.Join(filepath.Dir(file), "pick-engine.pub") || s.Images[0].Source != "oci:./images/pick-engine" {
		t.Errorf("image %+v", s.Images[0])
	}
	if len(s.Manifests) != 1 || s.Manifests[0].Path != filepath.Join(filepath.Dir(file), "manifests") || s.Manifests[0].Place.Line != 17 {
		t.Errorf("manifests %+v", s.Manifests)
	}
	if len(s.Checks) != 5 || time.Duration(s.Checks[1].Timeout) != time.Minute || *s.Checks[1].FailureLimit != 3 || *s.Checks[1].Required {
		t.Errorf("checks %+v", s.Checks)
	}
	if s.Requires.Releases != ">=2.2.0" || s.Requires.Labels["store-format"] != "large" || s.Expires.Year() != 2027 {
		t.Errorf("requires %+v, expires %v", s.Requires, s.Expires)
	}
	if s.Roll || len(s.OneWay) != 2 || s.OneWay[0].Name != "tills.example.com" || s.OneWay[1].String() != "PersistentVolumeClaim shop/orders" {
		t.Errorf("one-way %v, roll %v", s.OneWay, s.Roll)
	}
	if len(s.Overlays) != 2 || s.Overlays[0].Name != "emea" || s.Overlays[1].Name != "large" || s.Overlays[0].Owner != "emea-team" ||
		s.Overlays[0].Expires.Year() != 2027 || s.Overlays[0].Path != filepath.Join(filepath.Dir(file), "emea") || s.Overlays[0].Place.Line != 41 {
		t.Errorf("overlays %+v", s.Overlays)
	}
	if len(s.Labels) != 2 || len(s.Labels["region"]) != 2 || s.Labels["store-format"] == nil {
		t.Errorf("labels %v", s.Labels)
	}
	if o := s.OS; o == nil || o.Version != "12.8" || len(o.Parts) != 2 || o.Parts[0].Name != "kernel" || o.Parts[1].Image != "./root.img" || o.Parts[1].Place.Line != 46 {
		t.Errorf("os %+v", s.OS)
	}
	if len(s.ImageFields) != 1 || s.ImageFields[0].Kind != "Engine" {
		t.Errorf("image fields %+v", s.ImageFields)
	}
}

func TestLoadDefaults(t *testing.T) {
	s, err := Load(writeSpec(t, "apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: x}\nspec: {version: 1.0.0}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Platforms) != 1 || bundle.FormatPlatform(s.Platforms[0]) != defaultPlatform || s.Sequence != 0 || s.Expires != nil || !s.Roll || s.OneWay != nil {
		t.Errorf("got %+v", s)
	}
}

func TestLoadRefuses(t *testing.T) {
	// Each case replaces a part of the whole spec; the error must name the line and say the text.
	for name, c := range map[string]struct {
		old, new string
		line     int
		says     string
	}{
		"unknown field":          {"  version:", "  verison:", 6, "verison is not a field"},
		"os of nothing":          {wholeOS, "  os: {}\n", 43, "spec.os has neither an image nor parts"},
		"os of no parts":         {wholeOS, "  os: {image: \"\", parts: []}\n", 43, "neither an image nor parts"},
		"image beside parts":     {"    version: \"12.8\"", "    image: ./root.img", 44, "spec.os.image stands beside parts"},
		"field of the os":        {"    version: \"12.8\"", "    imgae: x", 44, "imgae is not a field"},
		"long os version":        {"12.8\"", strings.Repeat("1", 129) + "\"", 44, "has 129 bytes"},
		"part without a name":    {"{name: root, image", "{image", 46, "is not the name of a part"},
		"part's name":            {"{name: root, image", "{name: ../root, image", 46, "\"../root\" is not the name of a part"},
		"two parts of a name":    {"{name: kernel, ", "{name: root, ", 47, "\"root\" is the name of an earlier part"},
		"part without an image":  {"{name: root, image: ./root.img}", "{name: root}", 46, "image is missing"},
		"image that is missing":  {"./root.img", "./rot.img", 46, "./rot.img does not exist"},
		"image that is a folder": {"./root.img", "./emea", 46, "./emea is not a regular file"},
		"image that is empty":    {"./root.img", "./empty.img", 46, "./empty.img is empty"},
		"artifact without name":  {"oci:./os:12.8#vmlinuz", "oci:#vmlinuz", 47, "names no artifact"},
		"too many parts":         {"      - {name: root, image: ./root.img}\n", manyParts(), 45, "has 18 parts, more than 16"},
		"overlay's label":        {"match: {region: emea}", "match: {regoin: emea}", 41, "overlay emea: no site has a label regoin: spec.labels has region, store-format"},
		"overlay's value":        {"match: {region: emea}", "match: {region: eema}", 41, "overlay emea: no site has region: eema: spec.labels has apac, emea"},
		"condition's label":      {"labels: {store-format: large}", "labels: {store-from: large}", 32, "the release: no site has a label store-from"},
		"labels alike":           {"  labels: {region: [apac, emea], store-format: []}\n  sites:\n    - {match: {region", "  sites:\n    - {match: {store-fromat", 40, "overlay emea has the label store-fromat, and spec.requires has store-format"},
		"overlay without label":  {"match: {region: emea}, ", "", 41, "names no label"},
		"overlay without folder": {"{match: {region: emea}, kustomize: ./emea,", "{match: {region: emea},", 41, "is missing"},
		"overlay's folder":       {"emea}, kustomize: ./emea", "emea}, kustomize: ./apac", 41, "./apac does not exist"},
		"overlays of one name":   {"{name: large, ", "{", 42, "there are two overlays emea"},
		"overlay's expiry":       {"2027-01-01T00:00:00Z", "2027-01-01T00:00:00.5Z", 41, "time of expiry"},
		"a label's value twice":  {"[apac, emea]", "[emea, emea]", 39, "names a value twice"},
		"version is no semver":   {"2.4.0\n  seq", "\"2.4\"\n  seq", 6, "not a semantic version"},
		"version with v":         {"2.4.0\n  seq", "v2.4.0\n  seq", 6, "not a semantic version"},
		"api version":            {"sallyport.dev/v1", "sallyport.dev/v9", 1, "sallyport.dev/v9"},
		"kind":                   {"kind: Release", "kind: Site", 2, "Release"},
		"name has capitals":      {"name: store-platform", "name: Store", 4, "not a release name"},
		"name has dots":          {"name: store-platform", "name: store.platform", 4, "not a release name"},
		"name is long":           {"name: store-platform", "name: " + strings.Repeat("a", 64), 4, "not a release name"},
		"sequence zero":          {"sequence: 17", "sequence: 0", 7, "not between 1"},
		"sequence huge":          {"sequence: 17", "sequence: 9007199254740992", 7, "not between 1"},
		"platform":               {"linux/aarch64", "lin ux", 8, "not a platform"},
		"platform twice":         {"linux/aarch64", "linux/x86_64", 8, "second time"},
		"image name":             {"registry.example.com/pick-engine:2.4.0", "registry.example.com/Pick Engine", 10, "not an image reference"},
		"image twice":            {"- name: nginx", "- name: registry.example.com/pick-engine:2.4.0", 13, "second time"},
		"key is missing":         {"key: pick-engine.pub", "key: nobody.pub", 12, "nobody.pub does not exist"},
		"image field":            {"path: spec.image", "path: \"\"", 15, "spec.imageFields[0]"},
		"manifests are missing":  {"path: ./manifests", "path: ./nowhere", 17, "./nowhere does not exist"},
		"no path":                {"- path: ./manifests", "- {}", 17, "is missing"},
		"chart by HTTP":          {"path: ./manifests", "path: https://example.com/x.tgz", 17, "would be fetched"},
		"values":                 {"- path: ./manifests", "- {path: ./manifests, values: {a: 1}}", 17, "not a field"},
		"no file of values":      {"- path: ./manifests", "- {path: ./chart, helm: {values: [a.yaml]}}", 17, "a.yaml does not exist"},
		"value of a list":        {"- path: ./manifests", "- {path: ./chart, helm: {set: {a: [b]}}}", 17, "is a list, not a single value"},
		"namespace of a chart":   {"- path: ./manifests", "- {path: ./chart, helm: {namespace: A_B}}", 17, "is no name of a namespace"},
		"kubeVersion in digits":  {"- path: ./manifests", "- {path: ./chart, helm: {kubeVersion: 1.31}}", 17, "not text"},
		"Kubernetes range":       {"releases: \">=2.2.0\"", "kubernetes: [\"new\"]", 31, "is not a version range"},
		"check of no kind":       {"- {name: mirror, image: {}}", "- {name: mirror}", 29, "is not valid"},
		"check of two kinds":     {"- {name: mirror, image: {}}", "- {name: mirror, image: {}, tcp: {address: \"a:1\"}}", 29, "is not valid"},
		"check name twice":       {"- {name: mirror,", "- {name: port,", 29, "an earlier check"},
		"prometheus":             {"image: {}", "prometheus: {address: x, query: y}", 29, "not supported by this version"},
		"job":                    {"image: {}", "job: {manifest: x}", 29, "not supported by this version"},
		"success condition":      {"      interval: 2s", "      successCondition: x", 23, "not supported by this version"},
		"inconclusive limit":     {"      interval: 2s", "      inconclusiveLimit: 1", 23, "not supported by this version"},
		"catch up unknown":       {"catchUp: immediate", "catchUp: never", 33, "not known"},
		"required versions":      {">=2.2.0", "newer", 31, "not a version range"},
		"expires":                {"2027-06-30T00:00:00Z", "soon", 34, "spec.expires"},
		"expires within seconds": {"2027-06-30T00:00:00Z", "2027-06-30T00:00:00.5Z", 34, "whole second"},
		"one-way without kind":   {"- {kind: CustomResourceDefinition, ", "- {", 37, "it has no kind"},
		"one-way twice":          {"kind: CustomResourceDefinition, name: tills.example.com", "kind: PersistentVolumeClaim, namespace: shop, name: orders", 37, "second time"},
		"roll":                   {"roll: false", "roll: never", 38, "spec.roll"},
		"not YAML":               {"  version:", "\tversion:", 6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(wholeSpec, c.old, c.new, 1)
			if text == wholeSpec {
				t.Fatal("the case changes nothing")
			}
			_, err := Load(writeSpec(t, text))
			var e *strictyaml.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a spec error", err)
			}
			if e.Line != c.line || !strings.Contains(e.Error(), c.says) || e.Reason() != "spec" {
				t.Errorf("got %q at line %d (%s), want %q at %d", e, e.Line, e.Reason(), c.says, c.line)
			}
		})
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "release.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSourceDate(t *testing.T) {
	for text, want := range map[string]int64{"": -1, "0": 0, "1767225600": 1767225600} {
		t.Setenv("SOURCE_DATE_EPOCH", text)
		got, err := SourceDate()
		switch {
		case err != nil:
			t.Errorf("%q: %v", text, err)
		case want < 0 && got != nil, want >= 0 && (got == nil || got.Unix() != want):
			t.Errorf("%q gives %v", text, got)
		}
	}
	for _, text := range []string{"now", "-5", "999999999999999"} {
		t.Setenv("SOURCE_DATE_EPOCH", text)
		if got, err := SourceDate(); err == nil || reasonOf(err, "") != "usage" {
			t.Errorf("%q gives %v, %v", text, got, err)
		}
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(wholeSpec))
	f.Add([]byte("apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: x}\nspec: {version: 1.0.0}\n"))
	f.Add([]byte("spec: {checks: [{name: x, image: {}}, {name: x, prometheus: 1}], sites: []}"))
	f.Add([]byte("apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: x}\nspec: {version: 1.0.0, os: {image: \"oci:./os#root.img\"}}\n"))
	f.Add([]byte("apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: x}\nspec: {version: 1.0.0, os: {version: \"12\", parts: [{name: root, image: oci://h.example/os:1}, {name: b, image: \"oci-archive:x.tar:n#p\"}]}}\n"))
	f.Add([]byte("spec: {os: {image: x, parts: [{name: root}, [], {name: root, image: /dev/null}]}}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := parseSpec("release.yaml", raw)
		if err != nil {
			if reasonOf(err, "") != "spec" || !strings.HasPrefix(err.Error(), "release.yaml") {
				t.Fatalf("%v has the reason %q and names no place", err, reasonOf(err, ""))
			}
			return
		}
		if s.Name == "" || s.Version == "" || len(s.Platforms) == 0 || len(s.JSON) == 0 {
			t.Fatalf("accepted without name, version or platform: %+v", s)
		}
		if s.OS != nil && len(s.OS.Parts) == 0 {
			t.Fatal("accepted an operating system without a part")
		}
	})
}
