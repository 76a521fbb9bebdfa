package rootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ext is an ext2, ext3 or ext4, as the kernel's Documentation/filesystems/ext4 lays it out.
type ext struct {
	*storage
	block     int64 // bytes of one
	inode     int64 // bytes of one
	perGroup  uint32
	inodes    uint32
	groups    int64 // where their descriptors begin
	group     int64 // bytes of a descriptor
	wide      bool  // block numbers have 64 bits
	fileTypes bool  // directories tell what their entries are
}

// Features that change what a reader does (s_feature_incompat), and those that may be there besides.
const (
	featureFileType = 0x2
	feature64Bit    = 0x80
	featuresKnown   = featureFileType | feature64Bit | 0x4 | 0x40 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000
)

const superblockAt = 0x400

// openExt reads the superblock. One whose tables would not fit into the image is refused.
func openExt(s *storage) (tree, error) {
	sb := make([]byte, 0x400)
	if _, err := s.ReadAt(sb, superblockAt); err != nil {
		return nil, err
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(sb[at:]) }
	x := &ext{storage: s, inode: 128, perGroup: word(0x28), inodes: word(0x0), group: 32}
	shift, features := word(0x18), uint32(0)
	if word(0x4c) > 0 { // s_rev_level
		x.inode, features = int64(binary.LittleEndian.Uint16(sb[0x58:])), word(0x60)
	}
	if other := features &^ featuresKnown; other != 0 {
		return nil, fmt.Errorf("it has features that are not known here, %#x", other)
	}
	if shift > 6 {
		return nil, fmt.Errorf("its blocks have 2^%d bytes", 10+shift)
	}
	x.block = 1024 << shift
	x.groups = (int64(word(0x14)) + 1) * x.block // after s_first_data_block
	x.fileTypes, x.wide = features&featureFileType != 0, features&feature64Bit != 0
	blocks := uint64(word(0x4))
	if x.wide {
		x.group = int64(binary.LittleEndian.Uint16(sb[0xfe:]))
		blocks |= uint64(word(0x150)) << 32
	}
	switch {
	case blocks == 0 || blocks > uint64(s.size/x.block):
		return nil, fmt.Errorf("it tells of %d blocks of %d bytes, more than the image has", blocks, x.block)
	case x.inode < 128 || x.inode > x.block || x.perGroup == 0 || x.group < 32 || x.group > 1024 || x.wide && x.group < 64:
		return nil, errors.New("its superblock is damaged")
	}
	return x, nil
}

// node is what is needed of an inode.
type node struct {
	mode  uint16
	flags uint32
	size  int64
	data  [60]byte // i_block
}

// Flags of an inode, and the kinds of its mode.
const (
	flagExtents   = 0x80000
	flagInline    = 0x10000000
	flagEncrypted = 0x800

	modeKind, modeFile, modeDir, modeLink = 0xf000, 0x8000, 0x4000, 0xa000
)

const rootInode = 2

func (x *ext) node(n uint32) (*node, error) {
	if n == 0 || n > x.inodes {
		return nil, fmt.Errorf("there is no inode %d", n)
	}
	group := make([]byte, x.group)
	if _, err := x.ReadAt(group, x.groups+int64((n-1)/x.perGroup)*x.group); err != nil {
		return nil, err
	}
	table := int64(binary.LittleEndian.Uint32(group[0x8:]))
	if x.wide {
		table |= int64(binary.LittleEndian.Uint32(group[0x28:])) << 32
	}
	if table <= 0 || table > x.size/x.block {
		return nil, fmt.Errorf("inode %d lies outside the image", n)
	}
	b := make([]byte, 128)
	if _, err := x.ReadAt(b, table*x.block+int64((n-1)%x.perGroup)*x.inode); err != nil {
		return nil, err
	}
	i := &node{mode: binary.LittleEndian.Uint16(b), flags: binary.LittleEndian.Uint32(b[0x20:]),
		size: int64(binary.LittleEndian.Uint32(b[0x4:])), data: [60]byte(b[0x28:0x64])}
	if i.mode&modeKind != modeDir {
		i.size |= int64(binary.LittleEndian.Uint32(b[0x6c:])) << 32
	}
	if i.size < 0 || i.flags&flagEncrypted != 0 && i.mode&modeKind != modeDir {
		return nil, fmt.Errorf("inode %d cannot be read", n)
	}
	return i, nil
}

// content gives the bytes of an inode.
func (x *ext) content(i *node) (io.Reader, error) {
	if i.flags&flagInline != 0 {
		if i.size > int64(len(i.data)) {
			return nil, errors.New("its bytes lie in its attributes, which are not read")
		}
		return io.NewSectionReader(bytesAt(i.data[:]), 0, i.size), nil
	}
	runs, err := x.runs(i)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(&mapped{x: x, runs: runs}, 0, i.size), nil
}

type bytesAt []byte

// ReadAt implements io.ReaderAt.
func (b bytesAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	return copy(p, b[off:]), nil
}

func (x *ext) open(_ string, e fs.DirEntry) (io.ReadCloser, int64, error) {
	i, err := x.node(e.(*extEntry).inode)
	if err != nil {
		return nil, 0, err
	}
	r, err := x.content(i)
	return io.NopCloser(r), i.size, err
}

// maxLink bounds the target of a symbolic link, in bytes.
const maxLink = 4096

func (x *ext) link(_ string, e fs.DirEntry) (string, error) {
	i, err := x.node(e.(*extEntry).inode)
	if err != nil {
		return "", err
	}
	if i.size > maxLink {
		return "", fmt.Errorf("the link has %d bytes", i.size)
	}
	if i.size < int64(len(i.data)) && i.flags&flagExtents == 0 {
		return string(i.data[:i.size]), nil
	}
	r, err := x.content(i)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}
