package efivar_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

const immutable = 0x10

func flags(t *testing.T, path string, set uint32) (uint32, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	old, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil && set != 0 {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(old|set))
	}
	return old, err
}

// TestImmutableVariables: Linux gives that flag to each variable that it does not know.
func TestImmutableVariables(t *testing.T) {
	v := efivar.Vars{Dir: t.TempDir()}
	vendor := guid(t, partition)
	value := efivar.Variable{Attributes: efivar.Stored, Data: []byte("one")}
	if err := v.Write("Slots", vendor, value); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(v.Dir, "Slots-"+vendor.String())
	if _, err := flags(t, path, immutable); errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("no file can be made immutable here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("two"), 0o600); err == nil {
		t.Fatal("an immutable file was written to: this test tells nothing")
	}
	value.Data = []byte("two")
	if err := v.Write("Slots", vendor, value); err != nil {
		t.Error(err)
	}
	if got, err := flags(t, path, 0); err != nil || got&immutable == 0 {
		t.Errorf("the flag is gone: %x, %v", got, err)
	}
	if err := v.Remove("Slots", vendor); err != nil {
		t.Error(err)
	}
}
