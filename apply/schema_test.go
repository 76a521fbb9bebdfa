package apply

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

// later is what site.yaml may hold and this version refuses, each as a change to least.
var later = map[string][2]string{
	"spec.target.flux": {"manifestsDir: {path: /m}", "flux: {a: b}"},
}

func TestSchemaHasTheFieldsThatWork(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range later {
		names = append(names, name)
	}
	for _, difference := range schema.Compare(reflect.TypeFor[Config](), names) {
		t.Error(difference)
	}
}

// twoSlots are those of a site with a boot loader, which data go with.
const twoSlots = "  slots: {backend: grub, a: {boot: A, parts: {root: /a}}, b: {boot: B, parts: {root: /b}}}\n"

func TestSchemaAgreesWithLoadConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"least":             {"", ""},
		"https":             {"http://127.0.0.1:5000", "https://mirror.store"},
		"all of a registry": {`5000"}`, `5000", credentials: c, ca: ca.pem, insecure: true, proxy: "http://proxy:3128"}`},
		"embedded":          {`{url: "http://127.0.0.1:5000"}`, `{dir: /d, listen: "127.0.0.1:5001"}`},
		"embedded, in full": {`{url: "http://127.0.0.1:5000"}`, `{dir: /d, url: "", insecure: false, names: [mirror.store, 192.0.2.1]}`},
		"cluster":           {"manifestsDir: {path: /m}", "kubernetes: {kubeconfig: /k, context: c, patience: 90s}"},
		"the rest":          {"  trust:", "  slots: {backend: none}\n  state: s\n  platform: linux/arm/v7\n  checksDir: c\n  trust:"},
		"data by commands":  {"  trust:", twoSlots + "  data: {backup: {command: [save]}, restore: {command: [load, -x]}, version: {command: [v]}, timeout: 90s, keep: 3, maxBytes: 1000}\n  trust:"},
		"data of k3s":       {"  trust:", twoSlots + "  data: {k3s: {dataDir: /k, service: rke2-server}}\n  trust:"},
		"data of MicroK8s":  {"  trust:", twoSlots + "  data: {microk8s: {}}\n  trust:"},
		"data of etcd":      {"  trust:", twoSlots + "  data: {etcd: {endpoint: 'https://a:2379', dataDir: /d, ca: c, cert: c, key: k, services: [a, b]}}\n  trust:"},
		"receipts":          {"  trust:", "  receipts: {forward: ['https://r.example/{file}?sig=x', 'oci://r.example/fleet'], ca: ca.pem}\n  trust:"},
		"inbox of a server": {"  trust:", "  inbox: [/i, 'https://a.example/f/', 'http://b:8080/x.tar?sig=1']\n  link: {ca: c.pem, bytesPerSecond: 50000}\n  trust:"},
		"metrics":           {"  trust:", "  metrics: {textFile: /m/sallyport.prom}\n  trust:"},
		"labels":            {"{name: store-0142}", "{name: store-0142, labels: {region: emea}}"},
		"unattended":        {"  trust:", "  windows: [\"Sat,Sun 02:00-04:00 Europe/Budapest\", \"RRULE:FREQ=MONTHLY;BYDAY=2TU 22:00-04:00 UTC\"]\n  blackouts: [\"2026-12-24 UTC\", \"2026-12-20..2027-01-06 UTC\"]\n  windowNeed: 30m\n  catchUp: {immediate: never}\n  inbox: [/i, in]\n  trust:"},
	} {
		text := strings.Replace(least, change[0], change[1], 1)
		if _, err := parseConfig("site.yaml", []byte(text)); err != nil {
			t.Errorf("%s: sallyport refuses it: %v", name, err)
		}
		if err := schema.Validate(text); err != nil {
			t.Errorf("%s: the schema refuses it: %v", name, err)
		}
	}
	if err := schema.Validate(ConfigTemplate); err != nil {
		t.Errorf("the schema refuses the template: %v", err)
	}
	refused := map[string][2]string{
		"unknown field":         {"  trust:", "  checkDir: /c\n  trust:"},
		"no mirror":             {`  mirror: {url: "http://127.0.0.1:5000"}` + "\n", ""},
		"empty mirror":          {`{url: "http://127.0.0.1:5000"}`, "{}"},
		"both mirrors":          {`{url: "http://127.0.0.1:5000"}`, `{url: "http://a", dir: /d}`},
		"mirror without scheme": {"http://127.0.0.1:5000", "127.0.0.1:5000"},
		"listen with url":       {`5000"}`, `5000", listen: "a:1"}`},
		"insecure embedded":     {`{url: "http://127.0.0.1:5000"}`, `{dir: /d, insecure: true}`},
		"proxy without scheme":  {`5000"}`, `5000", proxy: "proxy:3128"}`},
		"proxy embedded":        {`{url: "http://127.0.0.1:5000"}`, `{dir: /d, proxy: "http://a:1"}`},
		"names with url":        {`5000"}`, `5000", names: [a]}`},
		"name with a space":     {`{url: "http://127.0.0.1:5000"}`, `{dir: /d, names: ["a b"]}`},
		"no trust":              {"  trust: release.pub\n", ""},
		"no target":             {"    manifestsDir: {path: /m}\n", "    {}\n"},
		"both targets":          {"{path: /m}", "{path: /m}\n    kubernetes: {kubeconfig: /k}"},
		"no kubeconfig":         {"manifestsDir: {path: /m}", "kubernetes: {context: c}"},
		"no path":               {"manifestsDir: {path: /m}", `manifestsDir: {path: ""}`},
		"backend":               {"  trust:", "  slots: {backend: lilo}\n  trust:"},
		"no data":               {"  trust:", twoSlots + "  data: {keep: 3}\n  trust:"},
		"two kinds of data":     {"  trust:", twoSlots + "  data: {k3s: {}, etcd: {}}\n  trust:"},
		"k3s and commands":      {"  trust:", twoSlots + "  data: {k3s: {}, backup: {command: [a]}, restore: {command: [b]}}\n  trust:"},
		"backup alone":          {"  trust:", twoSlots + "  data: {backup: {command: [a]}}\n  trust:"},
		"restore alone":         {"  trust:", twoSlots + "  data: {restore: {command: [a]}}\n  trust:"},
		"no command":            {"  trust:", twoSlots + "  data: {backup: {command: []}, restore: {command: [b]}}\n  trust:"},
		"keep too many":         {"  trust:", twoSlots + "  data: {k3s: {}, keep: 1000}\n  trust:"},
		"fewer than no bytes":   {"  trust:", twoSlots + "  data: {k3s: {}, maxBytes: -1}\n  trust:"},
		"data in no time":       {"  trust:", twoSlots + "  data: {k3s: {}, timeout: -1s}\n  trust:"},
		"platform":              {"  trust:", "  platform: amd64\n  trust:"},
		"name":                  {"store-0142", "'store 0142'"},
		"kind":                  {"Site", "Release"},
		"version":               {"sallyport.dev/v1", "sallyport.dev/v2"},
		"window without zone":   {"  trust:", "  windows: [\"Sat 02:00-04:00\"]\n  trust:"},
		"blackout without zone": {"  trust:", "  blackouts: [\"2026-12-24\"]\n  trust:"},
		"no inbox":              {"  trust:", "  inbox: [\"\"]\n  trust:"},
		"inbox of a network":    {"  trust:", "  inbox: [\"ftp://a/b\"]\n  trust:"},
		"metrics without .prom": {"  trust:", "  metrics: {textFile: /m/sallyport}\n  trust:"},
		"inbox of no host":      {"  trust:", "  inbox: [\"https:///x\"]\n  trust:"},
		"less than no bytes":    {"  trust:", "  link: {bytesPerSecond: -1}\n  trust:"},
		"metrics nowhere":       {"  trust:", "  metrics: {}\n  trust:"},
		"catchUp":               {"  trust:", "  catchUp: {immediate: sometimes}\n  trust:"},
		"number as a label":     {"{name: store-0142}", "{name: store-0142, labels: {region: 1}}"},
	}
	for name, change := range later {
		refused[name] = change
	}
	for name, change := range refused {
		text := strings.Replace(least, change[0], change[1], 1)
		if text == least {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, err := parseConfig("site.yaml", []byte(text)); reasonOf(err) != "spec" {
			t.Errorf("%s: sallyport takes it: %v", name, err)
		}
		if schema.Validate(text) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}
