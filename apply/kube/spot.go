package kube

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// spot is somewhere in an object: what is there, what a new object would have, and whose it is.
type spot struct {
	path           string
	have, full     any
	there, planned bool // in have, in full
	claim          owned
	wanted         bool
	owners         []owner
	set            func(v any) // nil removes it
}

// walk goes down to a field, as far as there is something, and one step further.
func (e *expectation) walk(u *unstructured.Unstructured, field string) []spot {
	top := spot{have: u.Object, full: e.full.Object, there: true, planned: true, claim: e.claim, wanted: true, owners: ownersOf(u)}
	chain := []spot{top}
	for _, name := range stepsOf(field) {
		at, ok := chain[len(chain)-1].step(name)
		if !ok || len(chain) == 1 && slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, name) {
			break
		}
		if chain = append(chain, at); !at.there {
			break
		}
	}
	return chain
}

// stepsOf cuts a path as the server writes it: spec.ports[1].name, metadata.annotations[example.com/a].
func stepsOf(field string) (names []string) {
	for field != "" {
		var name string
		if rest, ok := strings.CutPrefix(field, "["); ok {
			name, field, _ = strings.Cut(rest, "]")
		} else if end := strings.IndexAny(field, ".["); end >= 0 {
			name, field = field[:end], field[end:]
		} else {
			name, field = field, ""
		}
		names, field = append(names, name), strings.TrimPrefix(field, ".")
	}
	return names
}

// step goes to a field, or to an item of a list by its number.
func (p spot) step(name string) (spot, bool) {
	if _, ok := p.have.(map[string]any); ok {
		return p.member(name), true
	}
	n, err := strconv.Atoi(name)
	items := p.items()
	if err != nil || n < 0 || n >= len(items) {
		return spot{}, false
	}
	return items[n], true
}

func (p spot) member(name string) spot {
	have, _ := p.have.(map[string]any)
	full, _ := p.full.(map[string]any)
	at := spot{path: join(p.path, name), owners: under(p.owners, "f:"+name)}
	at.have, at.there = have[name]
	at.full, at.planned = full[name]
	at.claim, at.wanted = p.claim.under("f:" + name)
	at.set = func(v any) {
		if have[name] = v; v == nil {
			delete(have, name)
		}
	}
	return at
}

func (p spot) members() (all []spot) {
	have, _ := p.have.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(have)) {
		all = append(all, p.member(name))
	}
	return all
}

// items are those of a list whose items have keys.
func (p spot) items() (all []spot) {
	have, _ := p.have.([]any)
	full, _ := p.full.([]any)
	keys := listKeys(append(treesOf(p.owners), p.claim)...)
	if keys == nil {
		return nil
	}
	left := slices.Clone(have)
	for _, item := range have {
		name := itemName(item, keys)
		named := func(other any) bool { return itemName(other, keys) == name }
		at := spot{path: itemPath(p.path, item, keys), have: item, there: true, owners: under(p.owners, name)}
		if i := slices.IndexFunc(full, named); i >= 0 {
			at.full, at.planned = full[i], true
		}
		at.claim, at.wanted = p.claim.under(name)
		at.set = func(v any) {
			if i := slices.IndexFunc(left, named); v != nil && i >= 0 {
				left[i] = v
			} else {
				left = slices.DeleteFunc(left, named)
			}
			p.set(left)
		}
		all = append(all, at)
	}
	return all
}

// foreign lists what the release has not set, at a place and below, and what a new object would not have so. With parts,
// each part of it is listed ahead of the whole.
func (p spot) foreign(parts bool) (all []inTheWay) {
	_, isMap := p.have.(map[string]any)
	if isMap && (p.wanted && len(p.claim) > 0 || !p.wanted && parts) {
		for _, m := range p.members() {
			all = append(all, m.foreign(parts)...)
		}
	}
	if !p.wanted && !(p.planned && drawn[p.path]) && !apiequality.Semantic.DeepEqual(p.have, p.full) {
		all = append(all, p.away())
	}
	return all
}

// drawn are the fields of a Service for which the server draws a value: that of a dry run is nobody's default.
var drawn = map[string]bool{"spec.clusterIP": true, "spec.clusterIPs": true, "spec.healthCheckNodePort": true}

// away is what makes a place be as in a new object.
func (p spot) away() inTheWay {
	others := slices.DeleteFunc(slices.Clone(p.owners), func(o owner) bool { return o.ours })
	return inTheWay{path: p.path, owners: others, reset: p.planned, clear: func() { p.set(p.full) }}
}
