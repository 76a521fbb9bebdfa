package host

import (
	"io"
	"os"
	"strings"
	"testing"
)

// The kernel opens an eMMC's boot partition for writing and refuses the write.
func TestReadOnlyDevice(t *testing.T) {
	h := Host{Root: t.TempDir()}
	put(t, h, "/dev/mmcblk0boot0", "")
	put(t, h, "/sys/class/block/mmcblk0boot0/dev", "179:8\n")
	put(t, h, "/sys/dev/block/179:8/ro", "0\n")
	put(t, h, "/sys/dev/block/179:8/force_ro", "0\n")
	if err := h.Writable("/dev/mmcblk0boot0"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"ro", "force_ro"} {
		put(t, h, "/sys/dev/block/179:8/"+name, "1\n")
		if err := h.Writable("/dev/mmcblk0boot0"); err == nil || !strings.Contains(err.Error(), "179:8/"+name+" is 1") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWritable(t *testing.T) {
	h := Host{Root: t.TempDir()}
	put(t, h, "/boot/env", "text")
	if err := h.Writable("/boot/env"); err != nil {
		t.Error(err)
	}
	f, err := h.OpenFresh("/boot/env")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if err := h.Writable("/boot/none"); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(h.Path("/boot/none")); err == nil {
		t.Error("it was made")
	}
}
