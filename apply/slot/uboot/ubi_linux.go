package uboot

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ubiNode is the name of a UBI volume's device.
var ubiNode = regexp.MustCompile(`^ubi[0-9]+_[0-9]+$`)

// ubi is a place that is a whole UBI volume. An update that is cut leaves a volume that cannot be read: the other copy counts then.
type ubi struct{ plain }

func (u *ubi) write(data []byte) error {
	if u.offset != 0 {
		return fmt.Errorf("the environment begins at 0x%x of %s; of a UBI volume it must be the beginning", u.offset, u.device)
	}
	f, err := os.OpenFile(u.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size := int64(len(data))
	err = ioctl(f, unix.UBI_IOCVOLUP, unsafe.Pointer(&size))
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}
