package host

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Limits of a number that the kernel tells: bytes of its file, and its bits, so that sectors make bytes without an overflow.
const (
	maxNumberFile = 64
	maxNumberBits = 48
)

// Partition is a partition of a disk with a GPT.
type Partition struct {
	Device string // major:minor
	Number uint32
	Start  uint64 // of its first block, in the disk's logical blocks
	Size   uint64 // in the disk's logical blocks
}

// sector is the unit of start and size in /sys, whatever the disk's blocks are.
const sector = 512

// Partition finds the partition with that unique GUID.
func (h Host) Partition(guid string) (Partition, error) {
	link := h.Path("/dev/disk/by-partuuid/" + strings.ToLower(guid))
	node, err := filepath.EvalSymlinks(link)
	if err != nil {
		return Partition{}, fmt.Errorf("there is no partition %s: %w", guid, err)
	}
	class := "/sys/class/block/" + filepath.Base(node)
	dev, err := h.read(class+"/dev", maxNumberFile)
	if err != nil {
		return Partition{}, err
	}
	p := Partition{Device: strings.TrimSpace(dev)}
	number, err := h.number(class + "/partition")
	if err != nil {
		return Partition{}, err
	}
	start, err := h.number(class + "/start")
	if err != nil {
		return Partition{}, err
	}
	size, err := h.number(class + "/size")
	if err != nil {
		return Partition{}, err
	}
	block, err := h.blockSize(class)
	if err != nil {
		return Partition{}, err
	}
	p.Number, p.Start, p.Size = uint32(number), start*sector/block, size*sector/block
	return p, nil
}

// blockSize is the size of the logical blocks of the disk that a partition lies on.
func (h Host) blockSize(class string) (uint64, error) {
	partition, err := h.resolve(class)
	if err != nil {
		return 0, err
	}
	path := filepath.Join(filepath.Dir(partition), "queue/logical_block_size")
	size, err := h.number(path)
	if err == nil && (size < sector || size%sector != 0) {
		err = fmt.Errorf("%s tells blocks of %d bytes", path, size)
	}
	return size, err
}

// number reads a decimal number that the kernel tells.
func (h Host) number(path string) (uint64, error) {
	s, err := h.read(path, maxNumberFile)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, maxNumberBits)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}
