package slot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

func release(version string) *Release {
	return &Release{
		Manifest:   []byte(`{"manifest":"` + version + `"}`),
		Descriptor: []byte(`{"descriptor":"` + version + `"}`),
		Objects:    []byte("kind: ConfigMap # " + version + "\n"),
		Images:     []byte(`["registry.example.com/a:` + version + `"]`),
		Inventory:  []byte(`{}`),
		Report:     []byte(`{"signers":["release-team"]}`),
		Overlays:   []byte(`{"overlays":["emea"]}`),
	}
}

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state", "slots")
	s, err := Open(dir, durable.Disk{})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func fill(t *testing.T, s *Store, n Name, r *Release) {
	t.Helper()
	if err := s.Fill(n, r); err != nil {
		t.Fatal(err)
	}
}

func expectRelease(t *testing.T, s *Store, n Name, want *Release) {
	t.Helper()
	got, err := s.Load(n)
	if err != nil {
		t.Errorf("slot %s: %v", n, err)
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("slot %s holds %s, want %s", n, got.Manifest, want.Manifest)
	}
}

func TestFillLoadRemove(t *testing.T) {
	s, dir := open(t)
	if _, err := s.Load(A); !errors.Is(err, ErrEmpty) {
		t.Errorf("a fresh slot: got %v", err)
	}
	fill(t, s, A, release("1"))
	fill(t, s, B, release("2"))
	fill(t, s, B, release("3"))
	expectRelease(t, s, A, release("1"))
	expectRelease(t, s, B, release("3"))
	expectRelease(t, View(dir), B, release("3"))

	want := release("1")
	want.Inventory = []byte(`{"objects":1}`)
	if err := s.SetInventory(A, want.Inventory); err != nil {
		t.Fatal(err)
	}
	expectRelease(t, s, A, want)

	for range 2 {
		if err := s.Remove(B); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(B); !errors.Is(err, ErrEmpty) {
			t.Errorf("a removed slot: got %v", err)
		}
	}
	expectRelease(t, s, A, want)
	if err := s.SetInventory(B, nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("the inventory of an empty slot: got %v", err)
	}
}

func TestEmptyParts(t *testing.T) {
	s, _ := open(t)
	only := &Release{Manifest: []byte("{}")}
	fill(t, s, A, only)
	got, err := s.Load(A)
	if err != nil || string(got.Manifest) != "{}" || len(got.Objects)+len(got.Inventory)+len(got.Report) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.Fill(A, &Release{}); err == nil {
		t.Error("a release without a manifest was accepted")
	}
	big := &Release{Manifest: []byte("{}"), Report: make([]byte, maxDocument+1)}
	if err := s.Fill(A, big); err == nil || !strings.Contains(err.Error(), "report.json") {
		t.Errorf("a part that is too large: got %v", err)
	}
	expectManifest(t, s, A, "{}")
}

func expectManifest(t *testing.T, s *Store, n Name, want string) {
	t.Helper()
	if r, err := s.Load(n); err != nil || string(r.Manifest) != want {
		t.Errorf("slot %s: %v, %v; want %s", n, r, err, want)
	}
}

func TestNames(t *testing.T) {
	s, _ := open(t)
	for _, n := range []Name{None, "c", "../a", "A"} {
		if err := s.Fill(n, release("1")); err == nil {
			t.Errorf("Fill(%q) was accepted", string(n))
		}
		if _, err := s.Load(n); err == nil || errors.Is(err, ErrEmpty) {
			t.Errorf("Load(%q): %v", string(n), err)
		}
		if err := s.Remove(n); err == nil {
			t.Errorf("Remove(%q) was accepted", string(n))
		}
	}
	if A.Other() != B || B.Other() != A || None.Other() != A {
		t.Error("Other is wrong")
	}
	if A.String() != "A" || B.String() != "B" || None.String() != "none" || Name("x").String() != `"x"` {
		t.Error("String is wrong")
	}
}

// Every bit of every file of a slot counts.
func TestDamage(t *testing.T) {
	s, dir := open(t)
	fill(t, s, A, release("1"))
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	if err != nil || len(entries) != 8 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, "a", e.Name())
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := func(what string, b []byte) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			expectDamage(t, s, e.Name()+" "+what)
		}
		for i := range whole {
			b := append([]byte(nil), whole...)
			b[i] ^= 1 << (i % 8)
			damaged("with a flipped bit", b)
		}
		damaged("cut", whole[:len(whole)-1])
		damaged("longer", append(append([]byte(nil), whole...), '\n'))
		damaged("empty", nil)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expectDamage(t, s, e.Name()+" missing")
		if err := os.Symlink("/dev/zero", path); err != nil {
			t.Fatal(err)
		}
		expectDamage(t, s, e.Name()+" as a link")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		expectRelease(t, s, A, release("1"))
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "more"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectDamage(t, s, "a file too many")
	fill(t, s, A, release("2"))
	expectRelease(t, s, A, release("2"))
}

func expectDamage(t *testing.T, s *Store, what string) {
	t.Helper()
	_, err := s.Load(A)
	var d *DamagedError
	if !errors.As(err, &d) || d.Slot != A || d.Reason() != "slot" || d.Hint() == "" {
		t.Errorf("%s: got %v, want a DamagedError", what, err)
	}
}

// At every operation the disk fails, or fails after having done it, or the power goes: then a slot holds the old
// release or the new one, whole.
func TestFaultsAtEveryOperation(t *testing.T) {
	steps := map[string]struct {
		do    func(s *Store) error
		after string // the version in A when all went well; empty: none
	}{
		"fill":      {func(s *Store) error { return s.Fill(A, release("2")) }, `{"manifest":"2"}`},
		"inventory": {func(s *Store) error { return s.SetInventory(A, []byte("[]")) }, `{"manifest":"1"}`},
		"remove":    {func(s *Store) error { return s.Remove(A) }, ""},
	}
	for name, step := range steps {
		for _, mode := range []string{"fail", "fail after", "power cut"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				for i := 0; ; i++ {
					if !faultAt(t, i, mode, step.do, step.after) {
						if i < 3 {
							t.Errorf("only %d operations", i)
						}
						return
					}
				}
			})
		}
	}
}

var errFault = &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}

// faultAt lets the operation number i go wrong. It returns false when there was none.
func faultAt(t *testing.T, i int, mode string, do func(*Store) error, after string) bool {
	t.Helper()
	good, dir := open(t)
	fill(t, good, A, release("1"))
	fill(t, good, B, release("b"))
	n, dead := 0, false
	disk := durable.Disk{Intercept: func(_ durable.Op, op func() error) error {
		n++
		switch {
		case dead || n-1 == i && mode == "fail":
			return errFault
		case n-1 == i && mode == "power cut":
			dead = true
			return errFault
		case n-1 == i:
			if err := op(); err != nil {
				return err
			}
			return errFault
		}
		return op()
	}}
	err := do(&Store{dir: dir, disk: disk})
	if n <= i {
		if err != nil {
			t.Fatalf("without a fault: %v", err)
		}
		return false
	}
	var typed interface{ Reason() string }
	if err != nil && (!errors.As(err, &typed) || typed.Reason() != "room") {
		t.Errorf("operation %d: %v has not the reason room", i, err)
	}
	s, err := Open(dir, durable.Disk{})
	if err != nil {
		t.Fatal(err)
	}
	expectManifest(t, s, B, `{"manifest":"b"}`)
	switch r, err := s.Load(A); {
	case errors.Is(err, ErrEmpty) && after == "":
	case err != nil:
		t.Errorf("operation %d: %v", i, err)
	case string(r.Manifest) != `{"manifest":"1"}` && string(r.Manifest) != after:
		t.Errorf("operation %d: slot A holds %s", i, r.Manifest)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if e.Name() != "a" && e.Name() != "b" {
			t.Errorf("operation %d leaves %s", i, e.Name())
		}
	}
	return true
}

func FuzzIndex(f *testing.F) {
	b, err := newIndex(release("1")).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	without := release("1")
	without.Overlays = nil
	other, err := newIndex(without).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(other)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"apiVersion":"sallyport.dev/v1","kind":"Slot","release":"","files":[]}` + "\n"))
	f.Add([]byte(strings.Replace(string(b), `"size":16`, `"size":-1`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b)
		if err != nil {
			return
		}
		again, err := x.marshal()
		if err != nil || string(again) != string(b) {
			t.Errorf("%q was accepted and is %q, %v", b, again, err)
		}
		if len(x.Files) != len(x.parts()) || x.Release != x.Files[0].Digest {
			t.Errorf("accepted %+v", x)
		}
	})
}
