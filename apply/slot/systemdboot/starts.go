package systemdboot

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

// fallbackFolder is where firmware looks for a program of a disk that no boot entry names.
const fallbackFolder = `\efi\boot\`

// starts is how often the firmware starts this systemd-boot, one time after the other, when each gives up.
func (l *Loader) starts() (n int, err error) {
	image, err := l.said("LoaderImageIdentifier")
	if err != nil {
		return 0, err
	}
	partition, err := l.said("LoaderDevicePartUUID")
	if err != nil {
		return 0, err
	}
	guid, err := efivar.ParseGUID(partition)
	if err != nil {
		return 0, err
	}
	files, err := l.vars.BootFiles()
	for _, f := range files {
		path := strings.ToLower(f.Path)
		if f.Partition == guid && (f.Same(efivar.File{Partition: guid, Path: image}) || strings.HasPrefix(path, fallbackFolder)) {
			n++
		}
	}
	return n, err
}

// Advice says how often a kernel that cannot be loaded would be tried without anybody's help. systemd-boot goes back to the
// firmware then, which goes on with the next entry of BootOrder; after the last one the machine stands still.
func (l *Loader) Advice(context.Context) (text, mend string, err error) {
	n, err := l.starts()
	if err != nil || n > l.Tries {
		return "", "", err
	}
	return fmt.Sprintf("if a kernel cannot be loaded, the firmware starts systemd-boot %d times by BootOrder, and %d tries need %d: then the machine waits for a person or for its watchdog",
			n, l.Tries, l.Tries+1),
		"make entries of systemd-boot until BootOrder has that many, as docs/bootloaders.md says, or set spec.slots.tries lower", nil
}
