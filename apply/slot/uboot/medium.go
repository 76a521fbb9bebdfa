package uboot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// medium is what one copy of the environment lies on.
type medium interface {
	scheme() scheme
	// read returns the bytes of the copy.
	read() ([]byte, error)
	// write puts data in the place of the copy, durably.
	write(data []byte) error
	// writable tells why it could not be written, as far as that shows without a write.
	writable() error
	// extent is the first byte of what a write touches and the one behind it.
	extent() (from, to int64, err error)
}

// obsoleter is a medium on which a byte can be cleared without an erasure.
type obsoleter interface{ obsolete() error }

// openMedium finds out what a place lies on. Nothing stays open.
func openMedium(p place, h host.Host, disk durable.Disk) (medium, error) {
	path := h.Path(p.device)
	info, err := os.Stat(path)
	if err != nil && errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(p.device, "/dev/ubi") {
		return nil, fmt.Errorf("%s: a UBI volume must be given by its own node, as in /dev/ubi0_1: %w", p.device, err)
	}
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeCharDevice != 0:
		return openFlash(h, path, p)
	case mode.IsRegular() && p.offset < 0:
		return nil, fmt.Errorf("the offset %d counts from the end of %s, which fw_printenv takes of a block device only", p.offset, p.device)
	case mode.IsRegular(), mode&fs.ModeDevice != 0:
		return &plain{path: path, place: p, host: h, disk: disk}, nil
	}
	return nil, fmt.Errorf("%s is neither a file nor a device", p.device)
}

// plain is a place in a file or on a block device.
type plain struct {
	place
	path string // below the host's root
	host host.Host
	disk durable.Disk
}

func (p *plain) scheme() scheme { return counter }

func (p *plain) read() ([]byte, error) {
	f, err := p.host.OpenFresh(p.device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	off, err := p.start(f)
	if err != nil {
		return nil, err
	}
	data := make([]byte, p.size)
	if _, err := f.ReadAt(data, off); err != nil {
		return nil, fmt.Errorf("%s does not hold 0x%x bytes at 0x%x: %w", p.device, p.size, off, err)
	}
	return data, nil
}

// start is the offset from the beginning.
func (p *plain) start(f *os.File) (int64, error) {
	if p.offset >= 0 {
		return p.offset, nil
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end+p.offset < 0 {
		err = fmt.Errorf("%s is too short for the offset %d", p.device, p.offset)
	}
	return end + p.offset, err
}

func (p *plain) extent() (from, to int64, err error) {
	f, err := os.Open(p.path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	from, err = p.start(f)
	return from, from + p.size, err
}

func (p *plain) write(data []byte) error {
	if err := p.writable(); err != nil {
		return err
	}
	from, _, err := p.extent()
	if err != nil {
		return err
	}
	return p.disk.Overwrite(p.path, data, from)
}

func (p *plain) writable() error { return p.host.Writable(p.device) }
