// Package gptdisk is a small disk with a GPT, for tests, and the choice that boot loaders make on it. It shares no code with gptprio.
package gptdisk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"
)

// The disk: 512-byte sectors, 128 entries of 128 bytes, and four partitions of which the second and the fourth are slots.
const (
	sectorSize = 512
	sectors    = 256
	lastLBA    = sectors - 1
	entries    = 128 * 128
	firstArray = 2 * sectorSize
	lastArray  = lastLBA*sectorSize - entries
)

// Image is the bytes of a disk.
type Image []byte

var le = binary.LittleEndian

// New is a disk whose partition 2 is good and whose partition 4 was never booted; both are of that type. Partition 5, too, and
// it comes after them. The others are of another type, and all have attributes that are no loader's.
func New(slots [16]byte) Image {
	d := make(Image, sectors*sectorSize)
	for i := range d {
		d[i] = byte(i*7 + i/251)
	}
	clear(d[sectorSize : firstArray+entries])
	clear(d[lastArray:])
	d.partition(0, [16]byte{1}, "EFI-SYSTEM", 1)
	d.partition(1, slots, "USR-A", 2<<48|1<<56|1<<60|1)
	d.partition(2, [16]byte{3}, "OEM", 0xffff<<48|4)
	d.partition(3, slots, "USR-B", 1<<63)
	d.partition(4, slots, "USR-C", 1<<48|1<<56)
	copy(d[lastArray:], d[firstArray:firstArray+entries])
	d.header(1, lastLBA, 2)
	d.header(lastLBA, 1, lastArray/sectorSize)
	return d
}

func (d Image) partition(i int, kind [16]byte, label string, attributes uint64) {
	e := d[firstArray+i*128:]
	copy(e, kind[:])
	copy(e[16:], fmt.Sprintf("unique-%09d", i))
	le.PutUint64(e[32:], uint64(40+10*i))
	le.PutUint64(e[40:], uint64(49+10*i))
	le.PutUint64(e[48:], attributes)
	for j, u := range utf16.Encode([]rune(label)) {
		le.PutUint16(e[56+2*j:], u)
	}
}

func (d Image) header(at, other, array int) {
	h := d[at*sectorSize:]
	copy(h, "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
	le.PutUint64(h[24:], uint64(at))
	le.PutUint64(h[32:], uint64(other))
	le.PutUint64(h[40:], 34)
	le.PutUint64(h[48:], sectors-34)
	copy(h[56:], "guid of the disk")
	le.PutUint64(h[72:], uint64(array))
	le.PutUint32(h[80:], 128)
	le.PutUint32(h[84:], 128)
	d.sum(at, array)
}

// Flatcar and ChromeOS are the types of their slots' partitions, as they lie on the disk.
var (
	Flatcar  = [16]byte{0xf4, 0xf5, 0xfb, 0x5d, 0x48, 0x28, 0xac, 0x4b, 0xaa, 0x5e, 0x0d, 0x9a, 0x20, 0xb7, 0x45, 0xa6}
	ChromeOS = [16]byte{0x5d, 0x2a, 0x3a, 0xfe, 0x32, 0x4f, 0xa7, 0x41, 0xb7, 0x25, 0xac, 0xcc, 0x32, 0x85, 0xa3, 0x09}
)

// sum makes the checksums of a copy right.
func (d Image) sum(at, array int) {
	h := d[at*sectorSize:]
	le.PutUint32(h[88:], crc32.ChecksumIEEE(d[array*sectorSize:][:entries]))
	le.PutUint32(h[16:], 0)
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

// whole tells whether the checksums of a copy are right.
func (d Image) whole(at, array int) bool {
	c := append(Image{}, d...)
	c.sum(at, array)
	return string(c[at*sectorSize:][:92]) == string(d[at*sectorSize:][:92])
}

// Choose is the loader: it takes a partition, and a try of it if it is not known to be good, and mends the copies of the table.
func (d Image) Choose(kind [16]byte, lastTry bool) (at int, ok bool) {
	switch {
	case d.whole(1, 2):
		copy(d[lastArray:], d[firstArray:][:entries])
	case d.whole(lastLBA, lastArray/sectorSize):
		copy(d[firstArray:], d[lastArray:][:entries])
	default:
		return 0, false
	}
	best := byte(0)
	for i := range 128 {
		e := d[firstArray+i*128:]
		priority, tries, successful := e[54]&15, e[54]>>4, e[55]&1 == 1
		if [16]byte(e) == kind && priority > best && (successful || tries > 0) {
			at, best = i, priority
		}
	}
	if best == 0 {
		return 0, false
	}
	for _, array := range []int{firstArray, lastArray} {
		e := d[array+at*128:]
		if e[55]&1 == 1 || e[54]>>4 == 0 {
			continue
		}
		if e[54] -= 0x10; lastTry && e[54]>>4 == 0 {
			e[54] = 0
		}
	}
	d.header(1, lastLBA, 2)
	d.header(lastLBA, 1, lastArray/sectorSize)
	return at, true
}

// PartitionGUID is the GUID of a partition, which counts from 0.
func (d Image) PartitionGUID(at int) string {
	g := d[firstArray+at*128+16:]
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le.Uint32(g), le.Uint16(g[4:]), le.Uint16(g[6:]), g[8:10], g[10:16])
}

// Foreign is the disk but for the priorities: what lies outside both copies, and the masked entries of the copy that counts.
func (d Image) Foreign(kind [16]byte) string {
	m := append(Image{}, d...)
	if !m.whole(1, 2) {
		copy(m[firstArray:], m[lastArray:][:entries])
	}
	for i := range 128 {
		if e := m[firstArray+i*128:]; [16]byte(e) == kind {
			e[54] = 0
			e[55] &^= 1
		}
	}
	clear(m[sectorSize:firstArray])
	return string(m[:lastArray])
}
