package rootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// extEntry is an entry of a directory.
type extEntry struct {
	name  string
	kind  fs.FileMode
	inode uint32
}

func (e *extEntry) Name() string               { return e.name }
func (e *extEntry) IsDir() bool                { return e.kind.IsDir() }
func (e *extEntry) Type() fs.FileMode          { return e.kind }
func (e *extEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// Limits of one directory.
const (
	maxDirectory = 64 << 20 // bytes
	maxEntries   = 1 << 20
)

// list reads a directory. Its hash tree is passed over: those blocks look like entries of nothing.
func (x *ext) list(_ string, dir fs.DirEntry) ([]fs.DirEntry, error) {
	n := uint32(rootInode)
	if dir != nil {
		n = dir.(*extEntry).inode
	}
	i, err := x.node(n)
	if err != nil {
		return nil, err
	}
	if i.mode&modeKind != modeDir || i.size > maxDirectory || i.flags&flagInline != 0 {
		return nil, errors.New("it is no directory that can be read")
	}
	r, err := x.content(i)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for b := make([]byte, x.block); ; {
		if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		if list, err = x.entries(list, b); err != nil {
			return nil, err
		}
		if len(list) > maxEntries {
			return nil, fmt.Errorf("it has more than %d entries", maxEntries)
		}
	}
}

// entries adds those of one block.
func (x *ext) entries(list []fs.DirEntry, b []byte) ([]fs.DirEntry, error) {
	for len(b) >= 8 {
		length, name := int(binary.LittleEndian.Uint16(b[4:])), int(b[6])
		if length == 0 || length == 0xffff {
			length = 1 << 16 // of a block of 64 KiB
		}
		if length < 8 || length > len(b) || 8+name > length {
			return nil, errors.New("its entries are damaged")
		}
		e := &extEntry{name: string(b[8 : 8+name]), inode: binary.LittleEndian.Uint32(b)}
		if e.inode != 0 && name > 0 && e.name != "." && e.name != ".." {
			if err := x.kind(e, b[7]); err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		b = b[length:]
	}
	return list, nil
}

// kind finds out what an entry is.
func (x *ext) kind(e *extEntry, told byte) error {
	mode := uint16(0)
	switch {
	case x.fileTypes && told == 1:
		mode = modeFile
	case x.fileTypes && told == 2:
		mode = modeDir
	case x.fileTypes && told == 7:
		mode = modeLink
	case x.fileTypes && told != 0:
	default:
		i, err := x.node(e.inode)
		if err != nil {
			return err
		}
		mode = i.mode & modeKind
	}
	switch mode {
	case modeFile:
	case modeDir:
		e.kind = fs.ModeDir
	case modeLink:
		e.kind = fs.ModeSymlink
	default:
		e.kind = fs.ModeIrregular
	}
	return nil
}
