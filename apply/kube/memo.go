package kube

import (
	"crypto/sha256"
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// memo keeps what dry runs have told. A release is dry-run before the switch and again by Apply, as a rule on the same
// objects: where neither what is wanted nor what is there has changed since, the answer would be the same.
type memo struct {
	mu    sync.Mutex
	tries map[ID]try
}

// try is what a dry run told of one object. Refusals are not kept: somebody may have mended what they were about.
type try struct {
	uid      types.UID
	version  string // of the live object
	want     [sha256.Size]byte
	change   Change
	claim    bool
	narrowed []narrowing
	sealed   bool
}

// recall fills in the item's change if a dry run of just this has told it.
func (m *memo) recall(it *item, live *unstructured.Unstructured) bool {
	sum, ok := wanted(it)
	m.mu.Lock()
	t, known := m.tries[it.change.key()]
	m.mu.Unlock()
	if !ok || !known || t.uid != live.GetUID() || t.version != live.GetResourceVersion() || t.want != sum {
		return false
	}
	it.change, it.claim, it.narrowed, it.sealed = t.change, t.claim, t.narrowed, t.sealed
	return true
}

// keep keeps what a dry run of the item, which the server has not refused, has told.
func (m *memo) keep(it *item, live *unstructured.Unstructured) {
	sum, ok := wanted(it)
	if !ok || live == nil || it.taken || it.mended || it.untried || it.deferred {
		return // it is not brought by a plain apply, or was not dry-run
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tries == nil {
		m.tries = map[ID]try{}
	}
	m.tries[it.change.key()] = try{live.GetUID(), live.GetResourceVersion(), sum, it.change, it.claim, it.narrowed, it.sealed}
}

func wanted(it *item) (sum [sha256.Size]byte, ok bool) {
	b, err := json.Marshal(it.want.Object)
	return sha256.Sum256(b), err == nil
}
