package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParam(t *testing.T) {
	for _, c := range []struct {
		line, want string
		found      bool
	}{
		{"BOOT_IMAGE=/vmlinuz root=/dev/sda2 sallyport.slot=A ro\n", "A", true},
		{"sallyport.slot=A quiet sallyport.slot=B", "B", true},
		{`dyndbg="file a +p sallyport.slot=B" sallyport.slot="A"`, "A", true},
		{"xsallyport.slot=A sallyport.slots=B", "", false},
		{"sallyport.slot=", "", true},
		{"", "", false},
	} {
		h := Host{Root: t.TempDir()}
		if err := os.Mkdir(filepath.Join(h.Root, "proc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Path("/proc/cmdline"), []byte(c.line), 0o644); err != nil {
			t.Fatal(err)
		}
		got, found, err := h.Param(SlotParam)
		if err != nil || got != c.want || found != c.found {
			t.Errorf("%q: got %q, %v, %v", c.line, got, found, err)
		}
	}
}

func TestSlotName(t *testing.T) {
	for line, want := range map[string]string{
		"quiet": "", "rauc.slot=B": "B", "rauc.slot=B sallyport.slot=A": "A", "sallyport.slot=A rauc.slot=B": "A",
	} {
		h := Host{Root: t.TempDir()}
		if err := os.Mkdir(h.Path("/proc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Path("/proc/cmdline"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := h.SlotName(); err != nil || got != want {
			t.Errorf("%q: got %q, %v", line, got, err)
		}
	}
	if _, err := (Host{Root: t.TempDir()}).SlotName(); err == nil {
		t.Error("a machine without a command line names a slot")
	}
}

func TestBootID(t *testing.T) {
	a, err := Host{}.BootID()
	if err != nil || a == "" {
		t.Fatalf("%q, %v", a, err)
	}
	if _, err := (Host{Root: t.TempDir()}).BootID(); err == nil {
		t.Error("a machine without /proc has a boot_id")
	}
}
