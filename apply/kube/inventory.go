package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

const (
	apiVersion    = "sallyport.dev/v1"
	inventoryKind = "Inventory"
	maxInventory  = 64 << 20
	maxObjects    = 100_000
)

// Inventory lists objects on a target, sorted and each once. The zero value is empty.
type Inventory struct {
	ids []ID
}

// NewInventory makes an inventory of ids, which may repeat.
func NewInventory(ids ...ID) Inventory {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, compareIDs)
	seen := map[ID]bool{}
	ids = slices.DeleteFunc(ids, func(id ID) bool {
		again := seen[id.key()]
		seen[id.key()] = true
		return again
	})
	return Inventory{ids: ids}
}

// IDs returns the objects in order.
func (v Inventory) IDs() []ID { return slices.Clone(v.ids) }

// Len is the number of objects.
func (v Inventory) Len() int { return len(v.ids) }

// Union lists what is in v, in w or in both.
func (v Inventory) Union(w Inventory) Inventory { return NewInventory(slices.Concat(w.ids, v.ids)...) }

// Minus lists what is in v and not in w.
func (v Inventory) Minus(w Inventory) Inventory {
	in := w.set()
	return Inventory{ids: slices.DeleteFunc(slices.Clone(v.ids), func(id ID) bool { return in[id.key()] })}
}

func (v Inventory) set() map[ID]bool {
	m := make(map[ID]bool, len(v.ids))
	for _, id := range v.ids {
		m[id.key()] = true
	}
	return m
}

type inventoryJSON struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Objects    []ID   `json:"objects"`
}

// MarshalJSON writes the one form that UnmarshalJSON reads.
func (v Inventory) MarshalJSON() ([]byte, error) {
	ids := v.ids
	if ids == nil {
		ids = []ID{}
	}
	return json.Marshal(inventoryJSON{APIVersion: apiVersion, Kind: inventoryKind, Objects: ids})
}

// UnmarshalJSON refuses unknown fields, nameless objects, and objects that are repeated or out of order.
func (v *Inventory) UnmarshalJSON(b []byte) error {
	if len(b) > maxInventory {
		return fmt.Errorf("the inventory is larger than %d bytes", maxInventory)
	}
	var j inventoryJSON
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return fmt.Errorf("not an inventory: %w", err)
	}
	if j.APIVersion != apiVersion || j.Kind != inventoryKind {
		return fmt.Errorf("not an inventory: it says %q %q", j.APIVersion, j.Kind)
	}
	if len(j.Objects) > maxObjects {
		return fmt.Errorf("the inventory lists more than %d objects", maxObjects)
	}
	for _, id := range j.Objects {
		if id.Version == "" || id.Kind == "" || id.Name == "" {
			return errors.New("the inventory lists an object without version, kind or name")
		}
	}
	w := NewInventory(j.Objects...)
	if !slices.Equal(w.ids, j.Objects) {
		return errors.New("the inventory repeats objects or is not sorted")
	}
	*v = w
	return nil
}
