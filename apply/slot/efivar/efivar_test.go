package efivar_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

const partition = "6a1d2c3b-1122-4000-8000-00000000000a"

func guid(t testing.TB, s string) efivar.GUID {
	t.Helper()
	g, err := efivar.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGUID(t *testing.T) {
	g := guid(t, "8BE4DF61-93ca-11d2-aa0d-00e098032b8c")
	want := []byte{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}
	if !bytes.Equal(g[:], want) || g.String() != "8be4df61-93ca-11d2-aa0d-00e098032b8c" {
		t.Errorf("% x, %s", g[:], g)
	}
	for _, bad := range []string{"", "8be4df61", "8be4df6193ca11d2aa0d00e098032b8c", "8be4df61-93ca-11d2-aa0d-00e098032b8g",
		"8be4df61-93ca-11d2-aa0d-00e098032b8c-", "-8be4df61-93ca-11d2-aa0d00e098032b8c", "8be4df61-93ca-11d2-aa0d-00e09803-b8c"} {
		if _, err := efivar.ParseGUID(bad); err == nil {
			t.Errorf("%q is a GUID", bad)
		}
	}
}

func TestVariables(t *testing.T) {
	v := efivar.Vars{Dir: t.TempDir()}
	if _, err := v.Read("BootOrder", efivar.Global); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	long := efivar.Variable{Attributes: efivar.Stored, Data: []byte{1, 0, 2, 0, 3, 0}}
	short := efivar.Variable{Attributes: efivar.Stored, Data: []byte{1, 0}}
	for _, want := range []efivar.Variable{long, short, long} {
		if err := v.Write("BootOrder", efivar.Global, want); err != nil {
			t.Fatal(err)
		}
		got, err := v.Read("BootOrder", efivar.Global)
		if err != nil || got.Attributes != want.Attributes || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(v.Dir, "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c"))
	if want := []byte{7, 0, 0, 0, 1, 0, 2, 0, 3, 0}; err != nil || !bytes.Equal(b, want) {
		t.Errorf("the file holds % x, %v", b, err)
	}
	if err := v.Write("LoaderInfo", efivar.Loader, short); err != nil {
		t.Fatal(err)
	}
	if names, err := v.Names(efivar.Global); err != nil || !slices.Equal(names, []string{"BootOrder"}) {
		t.Errorf("got %v, %v", names, err)
	}
	for range 2 {
		if err := v.Remove("BootOrder", efivar.Global); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := v.Names(efivar.Global); err != nil || len(names) != 0 {
		t.Errorf("got %v, %v", names, err)
	}
}

func TestDamagedVariables(t *testing.T) {
	v := efivar.Vars{Dir: t.TempDir()}
	for _, size := range []int{0, 3, 4 + 64<<10 + 1} {
		path := filepath.Join(v.Dir, "BootOrder-"+efivar.Global.String())
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Read("BootOrder", efivar.Global); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes: got %v, %v", size, got, err)
		}
	}
}

// TestWriteFails looks at each point at which the power can go: a variable has its old or its new value, and an error is told.
func TestWriteFails(t *testing.T) {
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			faults := &durabletest.Faults{At: at, Mode: mode}
			v := efivar.Vars{Dir: t.TempDir()}
			if err := v.Write("BootNext", efivar.Global, efivar.Variable{Attributes: efivar.Stored, Data: []byte{1, 0}}); err != nil {
				t.Fatal(err)
			}
			v.Disk = faults.Disk()
			err := v.Write("BootNext", efivar.Global, efivar.Variable{Attributes: efivar.Stored, Data: []byte{2, 0}})
			if !faults.Fell() {
				if at == 0 {
					t.Error("nothing was written")
				}
				break
			}
			v.Disk = durable.Disk{}
			got, readErr := v.Read("BootNext", efivar.Global)
			if err == nil || readErr != nil || !bytes.Equal(got.Data, []byte{1, 0}) && !bytes.Equal(got.Data, []byte{2, 0}) {
				t.Errorf("%s: %v; got %v, %v", faults, err, got, readErr)
			}
		}
	}
}

// TestLyingFirmware: a value that was taken and not kept is found.
func TestLyingFirmware(t *testing.T) {
	v := efivar.Vars{Dir: t.TempDir()}
	if err := v.Write("BootNext", efivar.Global, efivar.Variable{Attributes: efivar.Stored, Data: []byte{1, 0}}); err != nil {
		t.Fatal(err)
	}
	v.Disk.Intercept = func(durable.Op, func() error) error { return nil }
	if err := v.Write("BootNext", efivar.Global, efivar.Variable{Attributes: efivar.Stored, Data: []byte{2, 0}}); err == nil {
		t.Error("believed a write that had no effect")
	}
	if err := v.Remove("BootNext", efivar.Global); err == nil {
		t.Error("believed a removal that had no effect")
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{"", "b+3.conf", "Größe", "😀"} {
		got, err := efivar.Variable{Data: efivar.OfText(s)}.Text()
		if err != nil || got != s {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	}
	for _, bad := range [][]byte{nil, {'a'}, {'a', 0}, {'a', 0, 0, 0, 'b', 0}, {0, 0xd8, 0, 0}, {0, 0xdc, 0, 0}, {0, 0xd8, 'a', 0, 0, 0}} {
		if got, err := (efivar.Variable{Data: bad}).Text(); err == nil {
			t.Errorf("% x: got %q", bad, got)
		}
	}
}
