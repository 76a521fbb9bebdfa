package efivar_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

func option(t testing.TB) efivar.LoadOption {
	f := efivar.File{Partition: guid(t, partition), Path: "/EFI/b/linux.efi"}
	return efivar.LoadOption{
		Attributes:  efivar.Active,
		Description: "b",
		Paths:       f.DevicePath(efivar.Place{Number: 1, Start: 2048, Size: 131072}),
		Optional:    efivar.OfText("root=/dev/sda3"),
	}
}

func TestLoadOption(t *testing.T) {
	b := option(t).Append(nil)
	o, err := efivar.ParseLoadOption(b)
	if err != nil || o.Attributes != efivar.Active || o.Description != "b" || !bytes.Equal(o.Optional, efivar.OfText("root=/dev/sda3")) {
		t.Fatalf("got %+v, %v", o, err)
	}
	f, ok := o.File()
	if want := (efivar.File{Partition: guid(t, partition), Path: `\EFI\b\linux.efi`}); !ok || f != want {
		t.Errorf("got %+v, %v", f, ok)
	}
	if !f.Same(efivar.File{Partition: f.Partition, Path: `efi\B\LINUX.EFI`}) || f.Same(efivar.File{Partition: f.Partition, Path: `\EFI\a\linux.efi`}) ||
		f.Same(efivar.File{Path: f.Path}) {
		t.Error("a place is not the same as itself, or as another")
	}
	for n := range b[:len(b)-len(o.Optional)] {
		if o, err := efivar.ParseLoadOption(b[:n]); err == nil {
			t.Errorf("%d of %d bytes are a boot entry: %+v", n, len(b), o)
		}
	}
}

// TestPlacesOfOthers: entries that do not lead to a file on a partition of a GPT are nobody's slot.
func TestPlacesOfOthers(t *testing.T) {
	good := option(t).Paths
	mbr := bytes.Clone(good)
	mbr[40] = 1
	acpi := append([]byte{2, 1, 12, 0, 0xd0, 0x41, 3, 0x0a, 0, 0, 0, 0}, good...)
	cut := append(bytes.Clone(good[:42]), 0x7f, 0xff, 4, 0)
	after := append(bytes.Clone(good[:len(good)-4]), 3, 5, 6, 0, 0, 0, 0x7f, 0xff, 4, 0)
	for name, c := range map[string]struct {
		paths []byte
		ok    bool
	}{
		"short form": {good, true}, "long form": {acpi, true}, "a second path": {append(bytes.Clone(good), 9, 9, 4, 0), true},
		"MBR": {mbr, false}, "no file": {cut, false}, "the end alone": {[]byte{0x7f, 0xff, 4, 0}, false}, "more after the file": {after, false},
	} {
		if f, ok := (efivar.LoadOption{Paths: c.paths}).File(); ok != c.ok {
			t.Errorf("%s: %+v, %v", name, f, ok)
		}
	}
}

// TestVectors reads the seeds of the fuzz target, each with the one fault that its name tells.
func TestVectors(t *testing.T) {
	accepted := map[string]bool{
		"short": true, "long": true, "no-path": true, "length-beyond-end": false, "node-without-length": false,
	}
	for name, want := range accepted {
		b, err := os.ReadFile(filepath.Join("testdata", name+".option"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := efivar.ParseLoadOption(b)
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := o.File(); ok != (want && name != "no-path") {
			t.Errorf("%s: a file: %v", name, ok)
		}
	}
}

// TestEfibootmgr lets Debian's efibootmgr read what is written here.
func TestEfibootmgr(t *testing.T) {
	program, err := exec.LookPath("efibootmgr")
	if err != nil {
		t.Skip("efibootmgr is not installed")
	}
	v := efivar.Vars{Dir: t.TempDir()}
	write := func(name string, data []byte) {
		if err := v.Write(name, efivar.Global, efivar.Variable{Attributes: efivar.Stored, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	write("Boot000B", option(t).Append(nil))
	write("BootOrder", binary.LittleEndian.AppendUint16(nil, 0xb))
	write("BootNext", binary.LittleEndian.AppendUint16(nil, 0xb))
	cmd := exec.CommandContext(t.Context(), program, "-v")
	cmd.Env = append(os.Environ(), "EFIVARFS_PATH="+v.Dir+"/")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"BootNext: 000B", "BootOrder: 000B", "Boot000B* b", "HD(1,GPT," + partition + ",0x800,0x20000)", `File(\EFI\b\linux.efi)`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func FuzzLoadOption(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.option")
	if err != nil || len(seeds) == 0 {
		f.Fatal("there are no seeds", err)
	}
	for _, seed := range seeds {
		b, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := efivar.ParseLoadOption(b)
		if err != nil {
			return
		}
		if got := o.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("% x became % x", b, got)
		}
		if file, ok := o.File(); ok && !file.Same(file) {
			t.Errorf("%+v is not where it is", file)
		}
	})
}
