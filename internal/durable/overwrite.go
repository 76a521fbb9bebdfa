package durable

import (
	"errors"
	"fmt"
	"os"
)

// Overwrite puts data over the bytes at offset off of what is at path, a file or a block device, by one write and one flush. The
// place keeps its name, its size and its blocks, as a boot loader wants it that writes there by itself: nothing is created,
// truncated or made longer. A power cut leaves each sector old or new, and a reader must be able to live with every mixture.
func (d Disk) Overwrite(path string, data []byte, off int64) error {
	if err := d.overwrite(path, data, off); err != nil {
		return fmt.Errorf("cannot write over %s: %w", path, err)
	}
	return nil
}

func (d Disk) overwrite(path string, data []byte, off int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if end := off + int64(len(data)); info.Mode().IsRegular() && (off < 0 || end > info.Size()) {
		return fmt.Errorf("bytes %d to %d do not lie within its %d bytes", off, end, info.Size())
	}
	err = d.do(Op{Kind: OpWrite, Path: path}, func() error {
		_, err := f.WriteAt(data, off)
		return err
	})
	if err != nil {
		return err
	}
	return d.sync(f)
}
