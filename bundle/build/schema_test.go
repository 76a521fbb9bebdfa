package build

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

// later is what release.yaml may hold and this version refuses, each as a change to wholeSpec.
var later = map[string][2]string{
	"spec.checks[].prometheus":        {"      interval: 2s", "      prometheus: {address: x, query: y}"},
	"spec.checks[].job":               {"      interval: 2s", "      job: {manifest: x}"},
	"spec.checks[].successCondition":  {"      interval: 2s", "      successCondition: x"},
	"spec.checks[].failureCondition":  {"      interval: 2s", "      failureCondition: x"},
	"spec.checks[].inconclusiveLimit": {"      interval: 2s", "      inconclusiveLimit: 1"},
}

func TestSchemaHasTheFieldsThatWork(t *testing.T) {
	schema, err := doccheck.Release()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range later {
		names = append(names, name)
	}
	for _, difference := range schema.Compare(reflect.TypeFor[document](), names) {
		t.Error(difference)
	}
}

func TestSchemaAgreesWithLoad(t *testing.T) {
	schema, err := doccheck.Release()
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(wholeSpec); err != nil {
		t.Errorf("the schema refuses what build takes: %v", err)
	}
	refused := map[string][2]string{
		"unknown field":          {"  version:", "  verison:"},
		"no version":             {"  version: 2.4.0\n", ""},
		"version of two numbers": {"2.4.0\n  seq", "\"2.4\"\n  seq"},
		"version with v":         {"2.4.0\n  seq", "v2.4.0\n  seq"},
		"api version":            {"sallyport.dev/v1", "sallyport.dev/v9"},
		"kind":                   {"kind: Release", "kind: Site"},
		"name has capitals":      {"name: store-platform", "name: Store"},
		"sequence zero":          {"sequence: 17", "sequence: 0"},
		"sequence huge":          {"sequence: 17", "sequence: 9007199254740992"},
		"platform":               {"linux/aarch64", "lin ux"},
		"no path":                {"- path: ./manifests", "- {}"},
		"image field":            {"path: spec.image", "path: \"\""},
		"check of no kind":       {"- {name: mirror, image: {}}", "- {name: mirror}"},
		"check of two kinds":     {"- {name: mirror, image: {}}", "- {name: mirror, image: {}, tcp: {address: \"a:1\"}}"},
		"check with a bad name":  {"- {name: mirror,", "- {name: \"-mirror\","},
		"wait":                   {"wait: all", "wait: some"},
		"status":                 {"status: 200", "status: 20"},
		"url":                    {"http://127", "ftp://127"},
		"no command":             {"[/bin/true]", "[]"},
		"no port":                {"127.0.0.1:22", "127.0.0.1"},
		"duration":               {"timeout: 60s", "timeout: 60"},
		"duration in words":      {"timeout: 60s", "timeout: a while"},
		"negative limit":         {"failureLimit: 3", "failureLimit: -3"},
		"number as a label":      {"store-format: large", "store-format: 1"},
		"catch up later":         {"catchUp: immediate", "catchUp: never"},
		"expires":                {"2027-06-30T00:00:00Z", "soon"},
		"overlay for no site":    {"match: {region: emea}", "match: {}"},
		"overlay of nothing":     {", kustomize: ./emea", ""},
		"overlay's label":        {"match: {region: emea}", "match: {region: 1}"},
		"overlay's expiry":       {"expires: 2027-01-01T00:00:00Z", "expires: soon"},
		"label's values":         {"region: [apac, emea]", "region: emea"},
		"label's value twice":    {"region: [apac, emea]", "region: [emea, emea]"},
		"one-way without name":   {", name: tills.example.com", ""},
		"one-way twice":          {"kind: CustomResourceDefinition, name: tills.example.com", "kind: PersistentVolumeClaim, namespace: shop, name: orders"},
		"roll":                   {"roll: false", "roll: never"},
		"os of nothing":          {wholeOS, "  os: {version: \"12.8\"}\n"},
		"os of no parts":         {wholeOS, "  os: {parts: []}\n"},
		"image beside parts":     {"    version: \"12.8\"", "    image: ./root.img"},
		"field of the os":        {"    version: \"12.8\"", "    release: \"12.8\""},
		"number as os version":   {"    version: \"12.8\"", "    version: {}"},
		"long os version":        {"12.8\"", strings.Repeat("1", 129) + "\""},
		"part without a name":    {"{name: root, image: ./root.img}", "{image: ./root.img}"},
		"part without an image":  {"{name: root, image: ./root.img}", "{name: root}"},
		"part's name":            {"{name: root, image", "{name: Root, image"},
		"field of a part":        {"{name: root, image", "{name: root, size: 1, image"},
		"part that is a list":    {"{name: root, image: ./root.img}", "[root]"},
	}
	for name, change := range later {
		refused[name] = change
	}
	for name, change := range refused {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(wholeSpec, change[0], change[1], 1)
			if text == wholeSpec {
				t.Fatal("the case changes nothing")
			}
			if _, err := Load(writeSpec(t, text)); reasonOf(err, "") != "spec" {
				t.Errorf("build takes it: %v", err)
			}
			if schema.Validate(text) == nil {
				t.Error("the schema takes it")
			}
		})
	}
}
