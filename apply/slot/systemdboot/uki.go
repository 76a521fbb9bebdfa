package systemdboot

import (
	"encoding/binary"
	"errors"
	"io"
)

// Limits of what is read of a unified kernel image.
const (
	maxSections = 96 // what the PE format allows
	maxRelease  = 64 << 10
)

var errImage = errors.New("is not a unified kernel image")

// readRelease finds the section .osrel of a unified kernel image: the os-release(5) of what it boots.
func readRelease(r io.ReaderAt) ([]byte, error) {
	const (
		peOffset, peHeader, sectionHeader = 0x3c, 24, 40
		sections, optional                = 6, 20 // offsets in the PE header
		virtualSize, rawSize, rawOffset   = 8, 16, 20
	)
	at := func(off int64, n int) []byte {
		b := make([]byte, n)
		if _, err := r.ReadAt(b, off); err != nil {
			return nil
		}
		return b
	}
	dos := at(0, peOffset+4)
	if dos == nil || string(dos[:2]) != "MZ" {
		return nil, errImage
	}
	pe := int64(binary.LittleEndian.Uint32(dos[peOffset:]))
	header := at(pe, peHeader)
	if header == nil || string(header[:4]) != "PE\x00\x00" {
		return nil, errImage
	}
	n := int(binary.LittleEndian.Uint16(header[sections:]))
	if n > maxSections {
		return nil, errImage
	}
	table := at(pe+peHeader+int64(binary.LittleEndian.Uint16(header[optional:])), n*sectionHeader)
	for ; len(table) >= sectionHeader; table = table[sectionHeader:] {
		if string(table[:8]) != ".osrel\x00\x00" {
			continue
		}
		size := min(binary.LittleEndian.Uint32(table[virtualSize:]), binary.LittleEndian.Uint32(table[rawSize:]))
		if size > maxRelease {
			return nil, errImage
		}
		if b := at(int64(binary.LittleEndian.Uint32(table[rawOffset:])), int(size)); b != nil {
			return b, nil
		}
	}
	return nil, errImage
}

// releaseKeys are what systemd-boot orders a unified kernel image by: the first of each list that os-release has. Without a name
// it is no entry.
func releaseKeys(release []byte) (k keys, ok bool) {
	field := map[string]*string{}
	for _, l := range parseLines(string(release), "=") {
		field[l.key] = &l.value
	}
	first := func(names ...string) *string {
		for _, n := range names {
			if v := field[n]; v != nil {
				return v
			}
		}
		return nil
	}
	title := first("PRETTY_NAME", "IMAGE_ID", "NAME", "ID")
	k.version = first("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID")
	k.sortKey = first("IMAGE_ID", "ID")
	return k, title != nil
}
