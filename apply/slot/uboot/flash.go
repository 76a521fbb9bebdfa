package uboot

import (
	"errors"
	"fmt"
	"io"
)

// chip is raw flash, as the kernel's MTD gives it.
type chip interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// bad tells whether the erase block at off is marked bad; NAND has such.
	bad(off int64) (bool, error)
	erase(off, n int64) error
	// unlock makes n bytes at off writable and tells whether they were not before.
	unlock(off, n int64) (was bool, err error)
	lock(off, n int64) error
}

// flash is a place on raw flash. Whole erase blocks are written: what lies behind the copy in its last block is kept.
type flash struct {
	place
	// open opens the chip, for writing or not.
	open  func(write bool) (chip, error)
	flags scheme
	total int64 // bytes of the chip
}

// newFlash checks a place against the chip's erase blocks.
func newFlash(p place, total, eraseSize int64, s scheme, open func(bool) (chip, error)) (*flash, error) {
	if p.sector == 0 {
		p.sector = eraseSize
	}
	if p.blocks == 0 && p.sector > 0 {
		p.blocks = (p.size + p.sector - 1) / p.sector
	}
	switch {
	case eraseSize <= 0 || p.sector%eraseSize != 0 || p.sector > maxSector:
		return nil, fmt.Errorf("%s has erase blocks of 0x%x bytes, and the configuration says 0x%x", p.device, eraseSize, p.sector)
	case p.offset < 0 || p.offset%p.sector != 0:
		return nil, fmt.Errorf("the offset 0x%x on %s is not where an erase block begins", p.offset, p.device)
	case p.offset+p.sector*p.blocks > total:
		return nil, fmt.Errorf("%s has 0x%x bytes, less than the configuration says", p.device, total)
	case p.sector*p.blocks < p.size:
		return nil, fmt.Errorf("%d erase blocks of 0x%x bytes do not hold an environment of 0x%x", p.blocks, p.sector, p.size)
	}
	return &flash{place: p, open: open, flags: s, total: total}, nil
}

func (f *flash) scheme() scheme { return f.flags }

func (f *flash) extent() (from, to int64, err error) {
	return f.offset, f.offset + f.sector*f.blocks, nil
}

// good are the offsets of the erase blocks that the copy lies in: the first ones that are not bad.
func (f *flash) good(c chip) ([]int64, error) {
	need := (f.size + f.sector - 1) / f.sector
	var blocks []int64
	for i := int64(0); i < f.blocks && int64(len(blocks)) < need; i++ {
		off := f.offset + i*f.sector
		bad, err := c.bad(off)
		if err != nil {
			return nil, fmt.Errorf("cannot tell whether the erase block at 0x%x is bad: %w", off, err)
		}
		if !bad {
			blocks = append(blocks, off)
		}
	}
	if int64(len(blocks)) < need {
		return nil, fmt.Errorf("%s has too few good erase blocks from 0x%x on: %d of %d", f.device, f.offset, len(blocks), need)
	}
	return blocks, nil
}

func (f *flash) read() ([]byte, error) {
	c, err := f.open(false)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	whole, _, err := f.readBlocks(c)
	if err != nil {
		return nil, err
	}
	return whole[:f.size], nil
}

// readBlocks returns the bytes of the copy's erase blocks, and their offsets.
func (f *flash) readBlocks(c chip) (data []byte, blocks []int64, err error) {
	if blocks, err = f.good(c); err != nil {
		return nil, nil, err
	}
	data = make([]byte, int64(len(blocks))*f.sector)
	for i, off := range blocks {
		if _, err := c.ReadAt(data[int64(i)*f.sector:][:f.sector], off); err != nil {
			return nil, nil, fmt.Errorf("cannot read the erase block at 0x%x of %s: %w", off, f.device, err)
		}
	}
	return data, blocks, nil
}

func (f *flash) write(data []byte) error {
	return f.change(func(c chip) error {
		whole, blocks, err := f.readBlocks(c)
		if err != nil {
			return err
		}
		copy(whole, data)
		for i, off := range blocks {
			if err := f.writeBlock(c, whole[int64(i)*f.sector:][:f.sector], off); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *flash) writeBlock(c chip, data []byte, off int64) error {
	return f.unlocked(c, off, func() error {
		if err := c.erase(off, f.sector); err != nil {
			return fmt.Errorf("cannot erase the block at 0x%x of %s: %w", off, f.device, err)
		}
		if _, err := c.WriteAt(data, off); err != nil {
			return fmt.Errorf("cannot write the block at 0x%x of %s: %w", off, f.device, err)
		}
		return nil
	})
}

// obsolete clears the flags of the copy without an erasure.
func (f *flash) obsolete() error {
	return f.change(func(c chip) error {
		blocks, err := f.good(c)
		if err != nil {
			return err
		}
		return f.unlocked(c, blocks[0], func() error {
			_, err := c.WriteAt([]byte{flagObsolete}, blocks[0]+flagsAt)
			return err
		})
	})
}

// unlocked does something to a block that may be locked, and leaves the lock as it was.
func (f *flash) unlocked(c chip, off int64, do func() error) error {
	if f.noLock {
		return do()
	}
	was, err := c.unlock(off, f.sector)
	if err != nil {
		return fmt.Errorf("cannot unlock the block at 0x%x of %s: %w", off, f.device, err)
	}
	err = do()
	if was {
		err = errors.Join(err, c.lock(off, f.sector))
	}
	return err
}

func (f *flash) change(do func(c chip) error) error {
	c, err := f.open(true)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close())
}

func (f *flash) writable() error { return f.change(func(chip) error { return nil }) }
