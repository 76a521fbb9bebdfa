package program

import (
	"bytes"
	"debug/elf"
	"os"
	"reflect"
	"testing"
)

// TestFunctions lists the functions of this very program.
func TestFunctions(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	list := Functions(bytes.NewReader(raw))
	if len(list) < 1000 {
		t.Fatalf("%d functions", len(list))
	}
	starts := map[int64]bool{}
	for i, f := range list {
		starts[f.Offset] = true
		if f.Size <= 0 || i > 0 && f.Offset < list[i-1].Offset+list[i-1].Size {
			t.Fatalf("function %d: %+v after %+v", i, f, list[max(0, i-1)])
		}
	}
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	text := f.Section(".text")
	for _, function := range []any{TestFunctions, Functions, os.ReadFile} {
		entry := uint64(reflect.ValueOf(function).Pointer())
		if at := int64(entry - text.Addr + text.Offset); !starts[at] {
			t.Errorf("the function at %#x is missing", entry)
		}
	}
	for i := range 200 {
		broken := bytes.Clone(raw)
		broken[i*len(raw)/200] ^= 0xff
		Functions(bytes.NewReader(broken[:len(raw)-i*100]))
	}
	if got := Functions(bytes.NewReader([]byte("no program"))); got != nil {
		t.Errorf("%d functions of no program", len(got))
	}
}
