package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
)

// etcd keeps its members in a bbolt file: pages of equal size; two of them, 0 and 1, tell by turns where the tree's root is; a
// page is a leaf or a branch; a bucket in a leaf is a page's number or, if that is 0, a page by itself. What is asked for here
// is small enough to be in leaves. All numbers are little-endian, as on the machines that write them.
const (
	boltMagic    = 0xED0CDAED
	boltLeaf     = 0x02
	boltMeta     = 0x04
	boltIsBucket = 0x01

	boltPageHead = 16 // id 8, flags 2, count 2, overflow 4
	boltElement  = 16 // flags 4, position 4, key's size 4, value's size 4
	boltBucket   = 16 // root 8, sequence 8
	boltMetaSize = 64

	maxBoltPage = 64 << 10
)

var errBolt = errors.New("the file of etcd is not as bbolt writes it")

// etcdMembers counts the members that an etcd knows, from its file, which nobody must be writing.
func etcdMembers(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return boltMembers(f)
}

// boltMembers counts what is in the bucket members of the root.
func boltMembers(r io.ReaderAt) (int, error) {
	root, size, err := boltRoot(r)
	if err != nil {
		return 0, err
	}
	page, err := boltPage(r, root, size)
	if err != nil {
		return 0, err
	}
	value, err := boltFind(page, "members")
	if err != nil || len(value) < boltBucket {
		return 0, errBolt
	}
	inner := value[boltBucket:]
	if at := binary.LittleEndian.Uint64(value); at != 0 {
		if inner, err = boltPage(r, at, size); err != nil {
			return 0, err
		}
	}
	_, n, err := boltLeafHead(inner)
	return n, err
}

// boltRoot finds the page of the root, and the size of pages, by the newer one of the two meta pages that is whole.
func boltRoot(r io.ReaderAt) (root uint64, size int64, err error) {
	var newest uint64
	found := false
	try := func(at int64) {
		b := make([]byte, boltPageHead+boltMetaSize)
		if _, err := r.ReadAt(b, at); err != nil {
			return
		}
		m := b[boltPageHead:] // magic 4, version 4, page size 4, flags 4, root 8, sequence 8, freelist 8, pages 8, transaction 8, checksum 8
		sum := fnv.New64a()
		sum.Write(m[:boltMetaSize-8])
		page := int64(binary.LittleEndian.Uint32(m[8:]))
		tx := binary.LittleEndian.Uint64(m[48:])
		if binary.LittleEndian.Uint16(b[8:])&boltMeta == 0 || binary.LittleEndian.Uint32(m) != boltMagic ||
			sum.Sum64() != binary.LittleEndian.Uint64(m[56:]) || page < 512 || page > maxBoltPage {
			return
		}
		if !found || tx > newest {
			root, size, newest, found = binary.LittleEndian.Uint64(m[16:]), page, tx, true
		}
	}
	try(0)
	for at := int64(1 << 10); at <= maxBoltPage; at <<= 1 {
		try(at)
	}
	if !found {
		err = errBolt
	}
	return root, size, err
}

func boltPage(r io.ReaderAt, at uint64, size int64) ([]byte, error) {
	if at > 1<<40 {
		return nil, errBolt
	}
	page := make([]byte, size)
	if _, err := r.ReadAt(page, int64(at)*size); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return page, nil
}

// boltLeafHead is what follows the head of a leaf, and how many elements are in it.
func boltLeafHead(page []byte) (elements []byte, n int, err error) {
	if len(page) < boltPageHead || binary.LittleEndian.Uint16(page[8:])&boltLeaf == 0 {
		return nil, 0, errBolt
	}
	n = int(binary.LittleEndian.Uint16(page[10:]))
	if len(page)-boltPageHead < n*boltElement {
		return nil, 0, errBolt
	}
	return page[boltPageHead:], n, nil
}

// boltFind returns the value of a bucket in a leaf.
func boltFind(page []byte, name string) ([]byte, error) {
	elements, n, err := boltLeafHead(page)
	if err != nil {
		return nil, err
	}
	for i := range n {
		e := elements[i*boltElement:] // positions count from the element's beginning
		pos, key, value := binary.LittleEndian.Uint32(e[4:]), binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])
		end := uint64(pos) + uint64(key) + uint64(value)
		if end > uint64(len(e)) {
			return nil, errBolt
		}
		if binary.LittleEndian.Uint32(e)&boltIsBucket != 0 && bytes.Equal(e[pos:pos+key], []byte(name)) {
			return e[pos+key : end], nil
		}
	}
	return nil, errBolt
}
