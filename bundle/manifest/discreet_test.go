package manifest_test

import (
	"strings"
	"testing"
)

// What kustomize says of a kustomization that makes or changes a Secret holds none of its values.
func TestKustomizeDoesNotTellSecrets(t *testing.T) {
	const value = "hunter-two"
	secret := "-- s.yaml --\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: " + value + "}\n"
	generator := "-- kustomization.yaml --\nsecretGenerator:\n- name: a\n  "
	patch := "-- kustomization.yaml --\nresources: [s.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |-\n    "
	for _, tt := range []struct{ name, archive, want string }{
		{"a literal", generator + "literals: [" + value + "]\n", "a literal is not written as KEY=VALUE"},
		{"a literal that is a field", generator + "literals: [{pin: " + value + "}]\n", "invalid Kustomization"},
		{"literals twice", generator + "literals: [pin=" + value + ", pin=" + value + "]\n", "repeats the key"},
		{"a wrong field", generator + "literal: [pin=" + value + "]\n", "unknown field"},
		{"a patch without a name", patch + "apiVersion: v1\n    kind: Secret\n    stringData: {pin: " + value + "}\n" + secret, "unable to parse SM or JSON patch from an inline patch"},
		{"a patch that is none", patch + "- op: replace\n      path /stringData/pin\n      value: " + value + "\n" + secret, "unable to parse SM or JSON patch from an inline patch"},
		{"a patch of nothing", patch + "- op: replace\n      path: /stringData/no/pin\n      value: " + value + "\n" + secret, "doc is missing path"},
		{"a patch of another type", patch + "apiVersion: v1\n    kind: Secret\n    metadata: {name: a}\n    stringData: " + value + "\n" + secret, "expected MappingNode but got ScalarNode"},
		{"a replacement", "-- kustomization.yaml --\nresources: [s.yaml]\nreplacements:\n- source: {kind: Secret, fieldPath: stringData.pin.x}\n" +
			"  targets: [{select: {kind: Secret}, fieldPaths: [stringData.b.c]}]\n" + secret, "expected MappingNode but got ScalarNode"},
		{"no text", strings.ReplaceAll(secret, value, "["+value+"]"), "Secret a: stringData.pin is a list, not text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := renderPaths(unpack(t, tt.archive))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), value) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
