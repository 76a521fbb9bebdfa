package uboot

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// scheme is what the flags of two copies mean.
type scheme int

const (
	counter  scheme = iota // the newer copy has the higher number; 0 follows 255
	activity               // the copy that counts has flagActive, the other one flagObsolete
)

const (
	crcSize      = 4
	flagsAt      = crcSize
	flagObsolete = 0
	flagActive   = 1
	flagErased   = 0xff
)

// image is the bytes of one copy, and whether its CRC is right.
type image struct {
	raw   []byte
	data  []byte // what follows the header
	flags byte   // 0 of a single copy
	good  bool
}

// parseImage looks at the bytes of a copy, which has flags if it is one of two.
func parseImage(raw []byte, redundant bool) image {
	i := image{raw: raw, data: raw[crcSize:]}
	if redundant {
		i.flags, i.data = raw[flagsAt], raw[flagsAt+1:]
	}
	i.good = crc32.ChecksumIEEE(i.data) == binary.LittleEndian.Uint32(raw)
	return i
}

// newImage is the inverse of parseImage for a good copy.
func newImage(data []byte, redundant bool, flags byte) []byte {
	raw := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(data))
	if redundant {
		raw = append(raw, flags)
	}
	return append(raw, data...)
}

var errNoGoodCopy = errors.New("its CRC is wrong: either this is not where U-Boot keeps its environment, or it is damaged")

// newest returns the number of the copy that U-Boot and fw_printenv take.
func newest(s scheme, copies []image) (int, error) {
	switch {
	case len(copies) == 1 && copies[0].good:
		return 0, nil
	case len(copies) == 1 || !copies[0].good && !copies[1].good:
		return 0, errNoGoodCopy
	case !copies[1].good:
		return 0, nil
	case !copies[0].good:
		return 1, nil
	}
	a, b := copies[0].flags, copies[1].flags
	if s == activity {
		return newestByActivity(a, b), nil
	}
	if a == 0xff && b == 0 || b > a && (b != 0xff || a != 0) {
		return 1, nil
	}
	return 0, nil
}

// newestByActivity takes the second copy only if it is active and the first is not, or its flags were never written since the
// block was erased and those of the first say that it is obsolete.
func newestByActivity(a, b byte) int {
	switch {
	case a == flagActive && b == flagObsolete:
		return 0
	case a == flagObsolete && b == flagActive:
		return 1
	case a != b && a != flagErased && b == flagErased:
		return 1
	}
	return 0
}

// next are the flags of a copy that is to count from now on, in place of one that has those flags.
func (s scheme) next(flags byte) byte {
	if s == activity {
		return flagActive
	}
	return flags + 1
}
