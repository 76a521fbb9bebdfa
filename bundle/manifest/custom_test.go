package manifest_test

import (
	"strings"
	"testing"
)

const tillKind = `-- crd.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tills.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {kind: Till, plural: tills}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [lanes, mode]
              properties:
                lanes: {type: integer}
                mode: {type: string, default: open, enum: [open, closed]}
                port: {x-kubernetes-int-or-string: true}
                rows: {type: array, items: {type: object, properties: {lit: {type: boolean}}}}
                marks: {type: object, additionalProperties: {type: number}}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}
                pod: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}
    - {name: v0, served: false, storage: false, schema: {openAPIV3Schema: {type: object}}}
-- till.yaml --
apiVersion: shop.example.com/v1
kind: Till
metadata: {name: front, labels: {a: b}}
spec:
  lanes: 3
  port: http
  rows: [{lit: true}]
  marks: {w: 1, v: 1.5}
  free: {b: [1], a: x}
  pod: {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {}}
`

func TestCustomResources(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"as it should be":  {"", "", ""},
		"unknown field":    {"port: http", "prot: http", "till.yaml:6: Till front: spec.prot is no field"},
		"field in a list":  {"{lit: true}", "{lit: true, dark: false}", "spec.rows[0].dark is no field"},
		"field at the top": {"spec:\n  lanes", "spce:\n  lanes", "spce is no field"},
		"field in a pod":   {"spec: {}", "sepc: {}", "spec.pod.sepc is no field"},
		"type":             {"lanes: 3", "lanes: three", "spec.lanes is text, not a whole number"},
		"half a lane":      {"lanes: 3", "lanes: 3.5", "spec.lanes is the number 3.5, not a whole number"},
		"port":             {"port: http", "port: [1]", "spec.port is a list, not a whole number or text"},
		"value of a map":   {"w: 1,", "w: one,", "spec.marks.w is text, not a number"},
		"known and free":   {"a: x}", "a: 1}", "spec.free.a is the number 1, not text"},
		"missing":          {"  lanes: 3\n", "", "spec.lanes is missing"},
		"none of these":    {"lanes: 3", "lanes: 3\n  mode: ajar", "spec.mode is none of the values"},
		"version":          {"shop.example.com/v1", "shop.example.com/v2", "serves no version v2"},
		"not served":       {"shop.example.com/v1", "shop.example.com/v0", "serves no version v0"},
		"of another group": {"shop.example.com/v1", "other.example.com/v9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := tillKind
			if c.old != "" {
				if text = strings.Replace(tillKind, c.old, c.new, 1); text == tillKind {
					t.Fatal("the case changes nothing")
				}
			}
			r := render(t, unpack(t, text))
			err := r.CheckCustom(false)
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want %q", err, c.says)
			}
			if err := r.CheckCustom(true); name == "missing" && err != nil {
				t.Errorf("what a site gets may have it: %v", err)
			}
		})
	}
}
