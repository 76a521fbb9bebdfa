package gptprio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Places in a header (UEFI specification 2.10, table 5.5), in bytes.
const (
	atRevision   = 8
	atHeaderSize = 12
	atHeaderCRC  = 16
	atMyLBA      = 24
	atOtherLBA   = 32
	atFirst      = 40
	atLast       = 48
	atDiskGUID   = 56
	atArrayLBA   = 72
	atCount      = 80
	atEntrySize  = 84
	atArrayCRC   = 88
	headerSize   = 92
)

// Limits of what is read of a GPT.
const (
	signature    = "EFI PART"
	revision     = 0x00010000
	maxCount     = 1024
	minEntrySize = 128
	maxEntrySize = 1024
	maxSectors   = 1 << 50
)

// gptCopy is one of the two copies of a GPT.
type gptCopy struct {
	lba    uint64 // of the header
	header []byte // one sector
	array  []byte // the entries, to the end of their last sector
	// headerErr is what is wrong with the header, arrayErr with the array that it describes.
	headerErr, arrayErr error
}

func (c *gptCopy) u32(at int) uint32 { return binary.LittleEndian.Uint32(c.header[at:]) }
func (c *gptCopy) u64(at int) uint64 { return binary.LittleEndian.Uint64(c.header[at:]) }

// err is what is wrong with the copy.
func (c *gptCopy) err() error {
	if c.headerErr != nil {
		return c.headerErr
	}
	return c.arrayErr
}

// entries is the array without what pads its last sector.
func (c *gptCopy) entries() []byte { return c.array[:int(c.u32(atCount))*int(c.u32(atEntrySize))] }

// readCopy reads the copy whose header is at lba of a disk of so many sectors.
func readCopy(r io.ReaderAt, lba, sectors uint64, sector int) *gptCopy {
	c := &gptCopy{lba: lba, header: make([]byte, sector)}
	if lba == 0 || lba >= sectors {
		c.headerErr = errors.New("its header does not lie on the disk")
		return c
	}
	if _, err := r.ReadAt(c.header, int64(lba)*int64(sector)); err != nil {
		c.headerErr = fmt.Errorf("its header cannot be read: %w", err)
		return c
	}
	if c.headerErr = c.checkHeader(sectors, sector); c.headerErr != nil {
		return c
	}
	c.array = make([]byte, c.arraySectors(sector)*uint64(sector))
	if _, err := r.ReadAt(c.array, int64(c.u64(atArrayLBA))*int64(sector)); err != nil {
		c.arrayErr = fmt.Errorf("its entries cannot be read: %w", err)
	} else if crc32.ChecksumIEEE(c.entries()) != c.u32(atArrayCRC) {
		c.arrayErr = errors.New("the CRC of its entries is wrong")
	}
	return c
}

// arraySectors is how many sectors the entries take up.
func (c *gptCopy) arraySectors(sector int) uint64 {
	return (uint64(c.u32(atCount))*uint64(c.u32(atEntrySize)) + uint64(sector) - 1) / uint64(sector)
}

func (c *gptCopy) checkHeader(sectors uint64, sector int) error {
	size := c.u32(atHeaderSize)
	switch {
	case !bytes.HasPrefix(c.header, []byte(signature)):
		return errors.New("it has no header")
	case c.u32(atRevision) != revision || size < headerSize || size > uint32(sector):
		return errors.New("its header is of another version")
	case headerCRC(c.header[:size]) != c.u32(atHeaderCRC):
		return errors.New("the CRC of its header is wrong")
	case c.u64(atMyLBA) != c.lba:
		return errors.New("its header was made for another place")
	}
	count, entry := c.u32(atCount), c.u32(atEntrySize)
	if count == 0 || count > maxCount || entry < minEntrySize || entry > maxEntrySize || entry&(entry-1) != 0 {
		return fmt.Errorf("it has %d entries of %d bytes", count, entry)
	}
	first, last, array := c.u64(atFirst), c.u64(atLast), c.u64(atArrayLBA)
	if sectors > maxSectors || first > last || last >= sectors || array < 2 || array >= sectors || array+c.arraySectors(sector) > sectors {
		return errors.New("its header speaks of sectors that the disk does not have")
	}
	if end := array + c.arraySectors(sector); array <= last && first < end || array <= c.lba && c.lba < end {
		return errors.New("its entries lie where its partitions or its header are")
	}
	return nil
}

// headerCRC is the CRC of a header, whose own field counts as zero.
func headerCRC(header []byte) uint32 {
	zeroed := bytes.Clone(header)
	clear(zeroed[atHeaderCRC : atHeaderCRC+4])
	return crc32.ChecksumIEEE(zeroed)
}

// seal makes the CRCs of a copy right.
func (c *gptCopy) seal() {
	binary.LittleEndian.PutUint32(c.header[atArrayCRC:], crc32.ChecksumIEEE(c.entries()))
	size := c.u32(atHeaderSize)
	binary.LittleEndian.PutUint32(c.header[atHeaderCRC:], headerCRC(c.header[:size]))
}

// sameShape tells whether two headers describe one table: everything but the copies' own places and CRCs.
func sameShape(a, b *gptCopy) bool {
	return bytes.Equal(a.header[atFirst:atArrayLBA], b.header[atFirst:atArrayLBA]) &&
		bytes.Equal(a.header[atCount:atArrayCRC], b.header[atCount:atArrayCRC]) &&
		a.u32(atHeaderSize) == b.u32(atHeaderSize) && a.u64(atOtherLBA) == b.lba && b.u64(atOtherLBA) == a.lba
}
