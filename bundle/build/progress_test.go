package build

import (
	"slices"
	"testing"
)

// TestProgressWithinLayer holds that a build tells how far it is many times within one layer.
func TestProgressWithinLayer(t *testing.T) {
	for _, c := range []struct {
		name    string
		fetched bool
	}{{"at hand", false}, {"fetched first", true}} {
		t.Run(c.name, func(t *testing.T) {
			var told []int64
			b := &builder{Config: Config{Observe: func(e Event) {
				if e.Label != "deltas" || e.Total != 1000 || e.Text == "" {
					t.Errorf("told %+v", e)
				}
				told = append(told, e.Done)
			}}}
			p := b.measure("deltas")
			p.total, p.layers = 1000, 1
			part := p.layer(1000)
			part.halves = c.fetched
			for range 8 {
				part.add(100)
			}
			part.close()
			if len(told) != 9 || !slices.IsSorted(told) || told[8] != 1000 {
				t.Errorf("told of %v", told)
			}
		})
	}
}
