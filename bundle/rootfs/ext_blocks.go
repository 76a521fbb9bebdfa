package rootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// run is a stretch of a file's blocks that lie one after another.
type run struct {
	from, count int64 // in the file
	at          int64 // in the image
}

// maxRuns bounds the stretches of one file.
const maxRuns = 1 << 18

var errManyRuns = errors.New("it lies in too many pieces")

// runs lists where a file's blocks lie, in their order. What is not in it is a hole.
func (x *ext) runs(i *node) ([]run, error) {
	m := &mapper{x: x, last: (i.size + x.block - 1) / x.block}
	if i.flags&flagExtents != 0 {
		if err := m.extents(i.data[:], maxTree); err != nil {
			return nil, err
		}
		return m.list, nil
	}
	for n := range 12 {
		m.add(int64(n), 1, int64(binary.LittleEndian.Uint32(i.data[4*n:])))
	}
	from := int64(12)
	for level := range 3 {
		var err error
		if from, err = m.indirect(int64(binary.LittleEndian.Uint32(i.data[48+4*level:])), from, level); err != nil {
			return nil, err
		}
	}
	return m.list, nil
}

type mapper struct {
	x    *ext
	last int64 // blocks that the file's size needs
	list []run
}

// add appends blocks; 0 is a hole.
func (m *mapper) add(from, count, at int64) {
	if at == 0 || count == 0 || from >= m.last {
		return
	}
	if n := len(m.list); n > 0 && m.list[n-1].from+m.list[n-1].count == from && m.list[n-1].at+m.list[n-1].count == at {
		m.list[n-1].count += count
		return
	}
	m.list = append(m.list, run{from, count, at})
}

// indirect follows a block of block numbers, level more of which lie between it and the file. It gives the number of the
// file's block that comes next.
func (m *mapper) indirect(at, from int64, level int) (next int64, err error) {
	each := m.x.block / 4
	covers := each
	for range level {
		covers *= each
	}
	if at == 0 || from >= m.last {
		return from + covers, nil
	}
	b, err := m.x.blockAt(at)
	if err != nil {
		return 0, err
	}
	for n := range each {
		p := int64(binary.LittleEndian.Uint32(b[4*n:]))
		if level == 0 {
			m.add(from+n, 1, p)
		} else if _, err := m.indirect(p, from+n*(covers/each), level-1); err != nil {
			return 0, err
		}
		if len(m.list) > maxRuns {
			return 0, errManyRuns
		}
	}
	return from + covers, nil
}

// An extent tree: its mark, how deep it may be, and from which length on an extent is one that was not written yet.
const (
	extentMark = 0xf30a
	maxTree    = 5
	unwritten  = 32768
)

// extents reads a node of an extent tree, in an inode or a block.
func (m *mapper) extents(b []byte, depth int) error {
	entries := int(binary.LittleEndian.Uint16(b[2:]))
	if binary.LittleEndian.Uint16(b) != extentMark || 12+12*entries > len(b) || depth < 0 {
		return errors.New("its extents are damaged")
	}
	leaf := binary.LittleEndian.Uint16(b[6:]) == 0
	for n := range entries {
		e := b[12+12*n:]
		from := int64(binary.LittleEndian.Uint32(e))
		if !leaf {
			child, err := m.x.blockAt(int64(binary.LittleEndian.Uint32(e[4:])) | int64(binary.LittleEndian.Uint16(e[8:]))<<32)
			if err != nil {
				return err
			}
			if err := m.extents(child, depth-1); err != nil {
				return err
			}
			continue
		}
		if count := int64(binary.LittleEndian.Uint16(e[4:])); count <= unwritten {
			m.add(from, count, int64(binary.LittleEndian.Uint32(e[8:]))|int64(binary.LittleEndian.Uint16(e[6:]))<<32)
		}
		if len(m.list) > maxRuns {
			return errManyRuns
		}
	}
	return nil
}

func (x *ext) blockAt(n int64) ([]byte, error) {
	if n <= 0 || n >= x.size/x.block {
		return nil, fmt.Errorf("block %d lies outside the image", n)
	}
	b := make([]byte, x.block)
	_, err := x.ReadAt(b, n*x.block)
	return b, err
}

// mapped reads a file whose runs are known; what is in none is zeros.
type mapped struct {
	x    *ext
	runs []run
}

// ReadAt implements io.ReaderAt.
func (m *mapped) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		block, within := (off+int64(done))/m.x.block, (off+int64(done))%m.x.block
		i, _ := slices.BinarySearchFunc(m.runs, block, func(r run, b int64) int {
			if r.from+r.count <= b {
				return -1
			}
			return 1
		})
		piece := p[done:]
		switch {
		case i == len(m.runs):
			clear(piece)
		case m.runs[i].from > block:
			piece = piece[:min(int64(len(piece)), (m.runs[i].from-block)*m.x.block-within)]
			clear(piece)
		default:
			r := m.runs[i]
			piece = piece[:min(int64(len(piece)), (r.from+r.count-block)*m.x.block-within)]
			at := (r.at+block-r.from)*m.x.block + within
			if at < 0 || at > m.x.size-int64(len(piece)) {
				return done, errors.New("it lies outside the image")
			}
			if n, err := m.x.ReadAt(piece, at); err != nil && !(errors.Is(err, io.EOF) && n == len(piece)) {
				return done + n, err
			}
		}
		done += len(piece)
	}
	return done, nil
}
