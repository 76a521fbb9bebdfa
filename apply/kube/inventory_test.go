package kube

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

var (
	mapA    = ID{Version: "v1", Kind: "ConfigMap", Namespace: "n", Name: "a"}
	mapB    = ID{Version: "v1", Kind: "ConfigMap", Namespace: "n", Name: "b"}
	old     = ID{Group: "apps", Version: "v1beta1", Kind: "Deployment", Namespace: "n", Name: "d"}
	renewed = ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "n", Name: "d"}
)

func TestInventorySets(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  Inventory
		want []ID
	}{
		{"sorted and once", NewInventory(old, mapB, mapA, mapB), []ID{mapA, mapB, old}},
		{"union", NewInventory(mapA).Union(NewInventory(mapB, mapA)), []ID{mapA, mapB}},
		{"minus", NewInventory(mapA, mapB, old).Minus(NewInventory(mapB)), []ID{mapA, old}},
		{"the version is no part of the name", NewInventory(old).Minus(NewInventory(renewed)), nil},
		{"nothing", Inventory{}.Union(Inventory{}).Minus(NewInventory(mapA)), nil},
	} {
		if got := tt.got.IDs(); !slices.Equal(got, tt.want) || tt.got.Len() != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestInventoryJSON(t *testing.T) {
	for _, v := range []Inventory{{}, NewInventory(mapA, old)} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var w Inventory
		if err := json.Unmarshal(b, &w); err != nil || !slices.Equal(v.IDs(), w.IDs()) {
			t.Errorf("%s gives %v, %v", b, w.IDs(), err)
		}
	}
	const head = `{"apiVersion":"sallyport.dev/v1","kind":"Inventory","objects":`
	for in, want := range map[string]string{
		`{"apiVersion":"v2","kind":"Inventory","objects":[]}`:                                     `"v2"`,
		head + `[{"version":"v1","kind":"ConfigMap"}]}`:                                           "without version, kind or name",
		head + `[{"kind":"ConfigMap","name":"a"}]}`:                                               "without version, kind or name",
		head + `[{"version":"v1","kind":"B","name":"b"},{"version":"v1","kind":"A","name":"a"}]}`: "not sorted",
		head + `[{"version":"v1","kind":"B","name":"b"},{"version":"v2","kind":"B","name":"b"}]}`: "repeats",
		head + `[],"more":1}`: "unknown field",
		head + `7}`:           "not an inventory",
		head + `[` + strings.TrimSuffix(strings.Repeat(`{"version":"v","kind":"k","name":"n"},`, maxObjects+1), ",") + `]}`: "more than",
	} {
		var v Inventory
		if err := json.Unmarshal([]byte(in), &v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: got %v, want %q", in, err, want)
		}
	}
}

func FuzzInventory(f *testing.F) {
	b, err := json.Marshal(NewInventory(mapA, mapB, old))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"apiVersion":"sallyport.dev/v1","kind":"Inventory","objects":null}`))
	f.Add([]byte(`{"objects":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v, w Inventory
		if json.Unmarshal(b, &v) != nil {
			return
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &w); err != nil || !slices.Equal(v.IDs(), w.IDs()) {
			t.Errorf("%q was accepted, but what it is written as is not: %v", b, err)
		}
	})
}
