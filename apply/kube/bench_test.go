package kube

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkApplyUnchanged applies a release of 101 objects that is there already.
func BenchmarkApplyUnchanged(b *testing.B) {
	c, err := NewCluster(Config{Kubeconfig: shared.Kubeconfig})
	if err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(namespace("bench"))
	for i := range 100 {
		text.WriteString(configMap("bench", fmt.Sprintf("c%d", i), "x"))
	}
	want := objects("%s", text.String())
	inv, _, err := c.Apply(b.Context(), want, Inventory{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := c.Apply(b.Context(), want, inv); err != nil {
			b.Fatal(err)
		}
	}
}
