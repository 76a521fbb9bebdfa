package testpairs

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Object is a Kubernetes object of any kind.
type Object = unstructured.Unstructured

// Pair is two releases and what happens between them.
type Pair struct {
	Seed      uint64
	Namespace string
	// Prefix is what the names of the pair's cluster-scoped objects begin with.
	Prefix string
	// Old and New are the objects of the releases.
	Old, New []*Object
	// BeforeOld and BeforeNew are made by other managers ahead of a release that has them too.
	BeforeOld, BeforeNew []*Object
	// Edits are what other managers do to the objects of the old release.
	Edits []Edit
}

// Edit is a patch of one object by a manager other than sallyport, or its deletion.
type Edit struct {
	Object      *Object // its kind and name
	Manager     string
	Merge       bool // a JSON merge patch; else a strategic one
	Subresource string
	Patch       map[string]any
	Delete      bool
}

// How often, in a hundred, something is so.
const (
	often    = 55 // a kind is in the pair; an option is as it was
	unset    = 45 // an option is left to the server
	leaving  = 12 // an object is in the old release only
	coming   = 15 // an object is in the new release only
	foreign  = 20 // an object was there before
	edited   = 18 // an edit is made
	oneWayed = 10 // a change is made that cannot be taken back
)

// maker makes one pair.
type maker struct {
	*rand.Rand
	pair *Pair
	// have tells which kinds the releases have.
	haveOld, haveNew map[string]bool
}

// New makes the pair of a seed.
func New(seed uint64) (*Pair, error) {
	name := fmt.Sprintf("p%d", seed)
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 17)), haveOld: map[string]bool{}, haveNew: map[string]bool{},
		pair: &Pair{Seed: seed, Namespace: name, Prefix: name}}
	kinds, err := loadKinds(names{namespace: name, prefix: name, port: 30000 + int(seed*7%2700)})
	if err != nil {
		return nil, err
	}
	ns := object(fragment{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}})
	m.pair.Old, m.pair.New = append(m.pair.Old, ns), append(m.pair.New, ns)
	for _, k := range kinds {
		if m.percent(often) {
			m.add(k)
		}
	}
	return m.pair, nil
}

func (m *maker) percent(n int) bool { return m.IntN(100) < n }

// add puts an object into one of the releases or both.
func (m *maker) add(k kind) {
	old, next := true, true
	switch n := m.IntN(100); {
	case n < leaving:
		next = false
	case n < leaving+coming:
		old = false
	}
	if k.With != "" {
		old, next = old && m.haveOld[k.With], next && m.haveNew[k.With]
	}
	base := m.choose(k.Object, k.Fixed, nil)
	was, chosen := m.pick(base, k.Options)
	will, _ := m.again(base, k.Options, chosen)
	if m.percent(oneWayed) {
		will = m.choose(will, k.OneWay, nil)
	}
	name := object(was).GetKind()
	m.haveOld[name], m.haveNew[name] = m.haveOld[name] || old, m.haveNew[name] || next
	theirs := m.percent(foreign) && k.With == ""
	if old {
		m.pair.Old = append(m.pair.Old, object(was))
		m.edit(k, object(was))
		if theirs {
			other, _ := m.pick(base, k.Options)
			m.pair.BeforeOld = append(m.pair.BeforeOld, object(other))
		}
	}
	if next {
		m.pair.New = append(m.pair.New, object(will))
		if theirs && !old {
			m.pair.BeforeNew = append(m.pair.BeforeNew, object(was))
		}
	}
}

// choose adds one fragment of each option, or none.
func (m *maker) choose(base fragment, options []option, chosen []int) fragment {
	for i, o := range options {
		n := m.IntN(len(o)+1) - 1
		if chosen != nil {
			n = chosen[i]
		}
		if n >= 0 {
			base = merge(base, o[n]).(fragment)
		}
	}
	return base
}

// pick chooses for each option, and returns what it chose.
func (m *maker) pick(base fragment, options []option) (fragment, []int) {
	chosen := make([]int, len(options))
	for i, o := range options {
		chosen[i] = -1
		if !m.percent(unset) {
			chosen[i] = m.IntN(len(o))
		}
	}
	return m.choose(base, options, chosen), chosen
}

// again chooses anew for about half of the options.
func (m *maker) again(base fragment, options []option, was []int) (fragment, []int) {
	_, chosen := m.pick(base, options)
	for i := range chosen {
		if m.percent(often) {
			chosen[i] = was[i]
		}
	}
	return m.choose(base, options, chosen), chosen
}

// edit lets others change the object.
func (m *maker) edit(k kind, u *Object) {
	for _, e := range k.Edits {
		if m.percent(edited) {
			m.pair.Edits = append(m.pair.Edits, Edit{Object: u, Manager: e.Manager, Merge: e.Type == "merge" || e.Subresource != "",
				Subresource: e.Subresource, Patch: e.Patch, Delete: e.Delete})
		}
	}
}

// Deleted names what the edits delete, as a dump does.
func (p *Pair) Deleted() map[string]bool {
	out := map[string]bool{}
	for _, e := range p.Edits {
		if e.Delete {
			out[dumpName(e.Object.GetKind(), e.Object.GroupVersionKind().Group, e.Object.GetName())] = true
		}
	}
	return out
}

func object(f fragment) *Object {
	return (&unstructured.Unstructured{Object: f}).DeepCopy()
}

// YAML writes objects as a release has them.
func YAML(objs []*Object) ([]byte, error) {
	var b bytes.Buffer
	for _, u := range objs {
		text, err := yaml.Marshal(u.Object)
		if err != nil {
			return nil, err
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	return b.Bytes(), nil
}
