package replay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Ext2 reads files of an ext2, ext3 or ext4 file system as a boot loader does: it takes the blocks as they lie on the disk and
// knows nothing of the journal. It reads extents only, which is what mke2fs makes.
type Ext2 struct {
	r          io.ReaderAt
	block      int64
	inodeSize  int64
	perGroup   uint32
	descSize   int64
	descBlocks int64
}

const (
	superAt      = 1024
	superMagic   = 0xef53
	rootInode    = 2
	incompat64   = 0x80
	extentsFlag  = 0x80000
	extentMagic  = 0xf30a
	maxFile      = 1 << 20
	maxTreeDepth = 5
)

// NewExt2 reads the superblock.
func NewExt2(r io.ReaderAt) (*Ext2, error) {
	var b [1024]byte
	if _, err := r.ReadAt(b[:], superAt); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	shift := le.Uint32(b[24:])
	if le.Uint16(b[56:]) != superMagic || shift > 6 {
		return nil, errors.New("is no ext2 file system")
	}
	e := &Ext2{r: r, block: 1024 << shift, perGroup: le.Uint32(b[40:]), inodeSize: int64(le.Uint16(b[88:])), descSize: 32}
	if le.Uint32(b[96:])&incompat64 != 0 {
		e.descSize = int64(le.Uint16(b[254:]))
	}
	e.descBlocks = superAt/e.block + 1
	if e.perGroup == 0 || e.inodeSize < 128 || e.descSize < 32 {
		return nil, errors.New("has a superblock that says nonsense")
	}
	return e, nil
}

// ReadFile returns a file of at most 1 MiB.
func (e *Ext2) ReadFile(path string) ([]byte, error) {
	n := uint32(rootInode)
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		dir, err := e.content(n)
		if err != nil {
			return nil, fmt.Errorf("the folder of %s in %s: %w", name, path, err)
		}
		if n = entry(dir, name); n == 0 {
			return nil, fmt.Errorf("there is no %s in %s", name, path)
		}
	}
	b, err := e.content(n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// entry finds a name in a folder's bytes; 0 if it is not there.
func entry(dir []byte, name string) uint32 {
	le := binary.LittleEndian
	for at := 0; at+8 <= len(dir); {
		inode, size, length := le.Uint32(dir[at:]), int(le.Uint16(dir[at+4:])), int(dir[at+6])
		if size < 8 || at+size > len(dir) || 8+length > size {
			return 0
		}
		if inode != 0 && string(dir[at+8:at+8+length]) == name {
			return inode
		}
		at += size
	}
	return 0
}

// content returns the bytes of an inode.
func (e *Ext2) content(n uint32) ([]byte, error) {
	inode, err := e.inode(n)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	size := int64(le.Uint32(inode[4:]))
	switch {
	case le.Uint16(inode) == 0 || le.Uint16(inode[26:]) == 0:
		return nil, fmt.Errorf("inode %d is not in use", n)
	case size > maxFile:
		return nil, fmt.Errorf("inode %d has %d bytes", n, size)
	case le.Uint32(inode[32:])&extentsFlag == 0:
		return nil, fmt.Errorf("inode %d has no extents", n)
	}
	out := make([]byte, (size+e.block-1)/e.block*e.block)
	if err := e.extents(inode[40:100], out, maxTreeDepth); err != nil {
		return nil, fmt.Errorf("inode %d: %w", n, err)
	}
	return out[:size], nil
}

func (e *Ext2) inode(n uint32) ([]byte, error) {
	group, index := int64((n-1)/e.perGroup), int64((n-1)%e.perGroup)
	desc := make([]byte, e.descSize)
	if _, err := e.r.ReadAt(desc, e.descBlocks*e.block+group*e.descSize); err != nil {
		return nil, err
	}
	table := int64(binary.LittleEndian.Uint32(desc[8:]))
	b := make([]byte, e.inodeSize)
	_, err := e.r.ReadAt(b, table*e.block+index*e.inodeSize)
	return b, err
}

// extents fills out with what a node of the tree of extents names.
func (e *Ext2) extents(node, out []byte, depth int) error {
	le := binary.LittleEndian
	count, level := int(le.Uint16(node[2:])), le.Uint16(node[6:])
	if le.Uint16(node) != extentMagic || 12+12*count > len(node) || depth == 0 {
		return errors.New("its tree of extents is broken")
	}
	for i := range count {
		x := node[12+12*i:]
		if level > 0 {
			child := make([]byte, e.block)
			if _, err := e.r.ReadAt(child, int64(le.Uint32(x[4:]))*e.block); err != nil {
				return err
			}
			if err := e.extents(child, out, depth-1); err != nil {
				return err
			}
			continue
		}
		first, length := int64(le.Uint32(x))*e.block, int64(le.Uint16(x[4:]))*e.block
		if length > 0x8000*e.block || first >= int64(len(out)) {
			continue // not written yet: zeros
		}
		part := out[first:min(first+length, int64(len(out)))]
		if _, err := e.r.ReadAt(part, int64(le.Uint32(x[8:]))*e.block); err != nil {
			return err
		}
	}
	return nil
}
