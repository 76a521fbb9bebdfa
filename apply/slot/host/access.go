package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// OpenFresh opens a file or block device of the machine for reading, so that what is read comes from the device and not from the
// kernel's cache.
func (h Host) OpenFresh(path string) (*os.File, error) {
	f, err := os.Open(h.Path(path))
	if err != nil {
		return nil, err
	}
	if err := dropCache(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Writable tells why a file or block device could not be written, as far as that shows without a write.
func (h Host) Writable(path string) error {
	f, err := os.OpenFile(h.Path(path), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if number, ok := h.BlockDevice(path); ok {
		return h.readOnly(number)
	}
	return nil
}

// readOnly tells whether the kernel refuses the writes to a block device that it has let open for writing: ro is of any device,
// force_ro of eMMC's boot partitions.
func (h Host) readOnly(number string) error {
	for _, name := range []string{"force_ro", "ro"} {
		path := filepath.Join("/sys/dev/block", number, name)
		value, err := os.ReadFile(h.Path(path))
		if err == nil && strings.TrimSpace(string(value)) == "1" {
			return fmt.Errorf("the kernel takes no writes to it: %s is 1", path)
		}
	}
	return nil
}
