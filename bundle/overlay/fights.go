package overlay

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Fight is two overlays of which neither is more specific and that say different things about one object.
type Fight struct {
	A, B *bundle.Overlay
	Edit      // of A
	With Path // of B's edit
}

// Error names both overlays, the object and the field.
func (f *Fight) Error() string {
	what := "the object as a whole"
	if p := f.higher(); len(p) > 0 {
		what = p.String()
	}
	return fmt.Sprintf("overlays %s (%s) and %s (%s) fight over %s: %s", f.A.Name, Labels(f.A.Match), f.B.Name, Labels(f.B.Match), f.Object, what)
}

// Hint says how to end it.
func (f *Fight) Hint() string {
	return fmt.Sprintf("let one of them leave it, or add an overlay for %s that decides", Labels(both(f.A, f.B)))
}

// Reason is the stable word for scripts.
func (f *Fight) Reason() string { return "overlay" }

// higher is the one of the two paths that covers the other.
func (f *Fight) higher() Path {
	if len(f.With) < len(f.Path) {
		return f.With
	}
	return f.Path
}

// Labels writes labels as a command line takes them, sorted: region=emea,ring=canary.
func Labels(m map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+"="+m[k])
	}
	return strings.Join(list, ",")
}

// both is the labels of every site that takes both overlays.
func both(a, b *bundle.Overlay) map[string]string {
	m := maps.Clone(a.Match)
	maps.Copy(m, b.Match)
	return m
}

// Fights finds what the layers do not agree on, whichever sites take them.
func Fights(layers []Layer) []Fight {
	layers = sorted(layers)
	edited := make([]map[Key]*trie, len(layers))
	for i := range layers {
		edited[i] = map[Key]*trie{}
		for k := range layers[i].Changes {
			e := &layers[i].Changes[k]
			if edited[i][e.Object] == nil {
				edited[i][e.Object] = &trie{}
			}
			t := edited[i][e.Object]
			for _, s := range e.Path {
				t = t.step(s)
			}
			t.edits = append(t.edits, owned{e, i})
		}
	}
	j := &judge{layers: layers, edited: edited}
	for b := range layers {
		for a := range b {
			if x, y := &layers[a].Overlay, &layers[b].Overlay; x.Meets(y) && !y.Refines(x) {
				j.compare(a, b)
			}
		}
	}
	return j.fights
}

// judge compares overlays two by two.
type judge struct {
	layers []Layer
	edited []map[Key]*trie // by layer
	fights []Fight
}

func (j *judge) compare(a, b int) {
	for k := range j.layers[a].Changes {
		e := &j.layers[a].Changes[k]
		t := j.edited[b][e.Object]
		for i := 0; t != nil; i++ {
			if i == len(e.Path) {
				j.below(a, b, e, t)
				break
			}
			j.here(a, b, e, t)
			t = t.next[e.Path[i]]
		}
	}
}

// here compares an edit of a with those of b that end at t.
func (j *judge) here(a, b int, e *Edit, t *trie) {
	for _, o := range t.edits {
		if f := (Fight{A: &j.layers[a].Overlay, B: &j.layers[b].Overlay, Edit: *e, With: o.Path}); !e.same(o.Edit) && !j.settled(&f) {
			j.fights = append(j.fights, f)
		}
	}
}

// below compares an edit of a with those of b at its path and below.
func (j *judge) below(a, b int, e *Edit, t *trie) {
	j.here(a, b, e, t)
	for _, s := range t.next {
		j.below(a, b, e, s)
	}
}

// settled tells whether an overlay for just the sites that take both says what counts.
func (j *judge) settled(f *Fight) bool {
	labels := both(f.A, f.B)
	for i := range j.layers {
		if !maps.Equal(j.layers[i].Match, labels) || !j.layers[i].Refines(f.A) || !j.layers[i].Refines(f.B) {
			continue
		}
		if t := j.edited[i][f.Object]; t != nil && t.covers(f.higher()) {
			return true
		}
	}
	return false
}

// covers tells whether an edit ends at the path or above it.
func (t *trie) covers(p Path) bool {
	for i := 0; t != nil; i++ {
		if len(t.edits) > 0 {
			return true
		}
		if i == len(p) {
			return false
		}
		t = t.next[p[i]]
	}
	return false
}

// Has tells whether an edit of the named overlay is part of the fight.
func (f *Fight) Has(name string, e *Edit) bool {
	return e.Object == f.Object && (name == f.A.Name && equal(e.Path, f.Path) || name == f.B.Name && equal(e.Path, f.With))
}

func equal(p, q Path) bool { return len(p) == len(q) && p.covers(q) }
