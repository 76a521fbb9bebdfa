package gptprio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// gpt is a GPT as it was read: two copies.
type gpt struct {
	sector        int
	first, second *gptCopy
	array         []byte // the entries of the copy that counts, as they are to be
	table         table  // views of array
}

// sectorSizes are those that disks have.
var sectorSizes = []int{512, 4096}

// parse reads a GPT of a disk of size bytes. Loaders take the first copy, or the second if the first is damaged.
func parse(r io.ReaderAt, size int64) (*gpt, error) {
	for _, sector := range sectorSizes {
		g := readBoth(r, size, sector)
		if g.first.headerErr != nil && g.second.headerErr != nil {
			continue
		}
		counts := g.first
		if counts.err() != nil {
			counts = g.second
		}
		if counts.err() != nil {
			return nil, fmt.Errorf("both copies of the GPT are damaged: of the first, %w; of the second, %w", g.first.err(), g.second.err())
		}
		g.array = bytes.Clone(counts.array)
		var err error
		if g.table, err = parseTable(counts, g.array); err != nil {
			return nil, err
		}
		return g, g.agree()
	}
	return nil, errors.New("it has no GPT")
}

// readBoth reads the first copy, and the second where the first says that it is; else at the end of the disk.
func readBoth(r io.ReaderAt, size int64, sector int) *gpt {
	sectors := uint64(max(size, 0)) / uint64(sector)
	g := &gpt{sector: sector, first: readCopy(r, 1, sectors, sector)}
	at := sectors - 1
	if g.first.headerErr == nil {
		at = g.first.u64(atOtherLBA)
	}
	g.second = readCopy(r, at, sectors, sector)
	return g
}

// agree wants two whole copies to say the same, but for attributes of ours: those differ if the power went between the two writes.
func (g *gpt) agree() error {
	if g.first.err() != nil || g.second.err() != nil {
		return nil
	}
	other, err := parseTable(g.second, bytes.Clone(g.second.array))
	if err != nil {
		return fmt.Errorf("the second copy: %w", err)
	}
	differ := !sameShape(g.first, g.second)
	for i := 0; !differ && i < len(g.table); i++ {
		a := entry(bytes.Clone(g.table[i]))
		a.set(0, 0, false)
		other[i].set(0, 0, false)
		differ = !bytes.Equal(a, other[i])
	}
	if differ {
		return errors.New("the two copies of the GPT are two different tables")
	}
	return nil
}

// mendable tells why a change must not be written: one copy is damaged in a way that no power cut leaves.
func (g *gpt) mendable() error {
	for i, c := range []*gptCopy{g.first, g.second} {
		if c.headerErr != nil {
			return fmt.Errorf("the %s copy of the GPT is damaged: %w", []string{"first", "second"}[i], c.headerErr)
		}
	}
	if !sameShape(g.first, g.second) {
		return errors.New("the two copies of the GPT are two different tables")
	}
	return nil
}

// write is bytes that go to a place of the disk.
type write struct {
	off  int64
	data []byte
}

// writes are what makes both copies hold the table: the second copy's first, and each copy's array and header at once where they
// lie side by side. A sector that holds what it should is left alone, a header excepted.
func (g *gpt) writes() []write {
	return append(g.copyWrites(g.second), g.copyWrites(g.first)...)
}

func (g *gpt) copyWrites(c *gptCopy) []write {
	now := &gptCopy{header: bytes.Clone(c.header), array: g.array}
	now.seal()
	from, to := changed(c.array, g.array, g.sector)
	header, array := int64(c.lba)*int64(g.sector), int64(c.u64(atArrayLBA))*int64(g.sector)
	switch {
	case from == to:
		return []write{{header, now.header}}
	case header+int64(g.sector) == array:
		return []write{{header, append(now.header, g.array[:to]...)}}
	case array+int64(len(g.array)) == header:
		return []write{{array + int64(from), append(bytes.Clone(g.array[from:]), now.header...)}}
	}
	return []write{{array + int64(from), g.array[from:to]}, {header, now.header}}
}

// changed is the part of an array, in whole sectors, in which two differ.
func changed(old, now []byte, sector int) (from, to int) {
	for to = len(now); to > 0 && len(old) == len(now) && bytes.Equal(old[to-sector:to], now[to-sector:to]); {
		to -= sector
	}
	for from = 0; from < to && len(old) == len(now) && bytes.Equal(old[from:from+sector], now[from:from+sector]); {
		from += sector
	}
	return from, to
}
