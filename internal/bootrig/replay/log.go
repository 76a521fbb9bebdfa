// Package replay takes a recording of what was written to a disk, and makes the disks that a power cut could have left: writes
// torn at any sector, and writes lost that were not flushed yet. Each is looked at as a boot loader would.
//
// The recording is of QEMU's blklogwrites driver, in the form of Linux' dm-log-writes (Documentation/admin-guide/device-mapper/
// log-writes.rst and drivers/md/dm-log-writes.c for the numbers): a superblock in the first sector, then entries of one sector
// each with the written bytes behind them. All numbers are little-endian.
package replay

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Sector is what a disk writes whole or not at all, in bytes.
const Sector = 512

// block is what file systems with a journal take for that.
const block = 4096

const (
	magic      = 0x6a736677736872
	version    = 1
	maxEntries = 1 << 20
	maxWrite   = 64 << 20
)

// Flags are what a write is, beside its bytes.
type Flags uint64

// The flags.
const (
	// Flush: what was written before is on the disk for good.
	Flush Flags = 1 << iota
	// FUA: this write is on the disk for good once it is done.
	FUA
	// Discard: what the sectors hold is not to be relied on any more; the entry has no bytes.
	Discard
	// Mark is a note of whoever records.
	Mark
)

// Entry is one write.
type Entry struct {
	Offset int64 // on the disk, in bytes
	Size   int64 // in bytes; 0 of one that is a flush only
	Flags  Flags
	at     int64 // of the bytes, in the recording
}

// Log is a recording. It reads the bytes when they are asked for.
type Log struct {
	Entries []Entry
	file    *os.File
}

// Open reads the entries of a recording.
func Open(file string) (*Log, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	l := &Log{file: f}
	if l.Entries, err = entries(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// Close closes the recording.
func (l *Log) Close() error { return l.file.Close() }

// Bytes are what an entry wrote.
func (l *Log) Bytes(e Entry) ([]byte, error) {
	b := make([]byte, e.Size)
	_, err := l.file.ReadAt(b, e.at)
	return b, err
}

// entries reads the heads of all entries.
func entries(r io.ReaderAt) ([]Entry, error) {
	var super [28]byte
	if _, err := r.ReadAt(super[:], 0); err != nil {
		return nil, fmt.Errorf("reading the superblock: %w", err)
	}
	le := binary.LittleEndian
	if m, v, size := le.Uint64(super[:]), le.Uint64(super[8:]), le.Uint32(super[24:]); m != magic || v != version || size != Sector {
		return nil, fmt.Errorf("is no recording of version %d with sectors of %d bytes: %#x, %d, %d", version, Sector, m, v, size)
	}
	n := le.Uint64(super[16:])
	if n > maxEntries {
		return nil, fmt.Errorf("has %d entries, more than %d", n, maxEntries)
	}
	var all []Entry
	at := int64(Sector)
	for i := range n {
		var head [32]byte
		if _, err := r.ReadAt(head[:], at); err != nil {
			return nil, fmt.Errorf("reading entry %d of %d: %w", i, n, err)
		}
		sector, count := le.Uint64(head[:]), le.Uint64(head[8:])
		e := Entry{Offset: int64(sector * Sector), Flags: Flags(le.Uint64(head[16:])), at: at + Sector}
		if sector > 1<<50 || count > maxWrite/Sector {
			return nil, fmt.Errorf("entry %d writes %d sectors at %d", i, count, sector)
		}
		at += Sector
		if e.Flags&Mark != 0 {
			return nil, fmt.Errorf("entry %d is a mark, which QEMU makes none of", i)
		}
		if e.Flags&Discard == 0 {
			e.Size = int64(count) * Sector
			at += e.Size
		}
		all = append(all, e)
	}
	return all, nil
}
