package backup

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"testing"
)

// boltFile is a bbolt file of pages of 512 bytes: two meta pages, and a leaf that holds one bucket with so many elements, inside
// the leaf itself or on a page of its own.
func boltFile(bucket string, n int, inline bool) []byte {
	const page = 512
	file := make([]byte, 4*page)
	le := binary.LittleEndian
	for i := range 2 {
		p := file[i*page:]
		le.PutUint16(p[8:], boltMeta)
		m := p[boltPageHead:]
		le.PutUint32(m, boltMagic)
		le.PutUint32(m[4:], 2)
		le.PutUint32(m[8:], page)
		le.PutUint64(m[16:], 2)
		le.PutUint64(m[48:], uint64(i))
		sum := fnv.New64a()
		sum.Write(m[:56])
		le.PutUint64(m[56:], sum.Sum64())
	}
	inner := make([]byte, boltPageHead+n*boltElement)
	le.PutUint16(inner[8:], boltLeaf)
	le.PutUint16(inner[10:], uint16(n))
	value := make([]byte, boltBucket)
	if inline {
		value = append(value, inner...)
	} else {
		le.PutUint64(value, 3)
		copy(file[3*page:], inner)
	}
	leaf := file[2*page:]
	le.PutUint16(leaf[8:], boltLeaf)
	le.PutUint16(leaf[10:], 1)
	e := leaf[boltPageHead:]
	le.PutUint32(e, boltIsBucket)
	le.PutUint32(e[4:], boltElement)
	le.PutUint32(e[8:], uint32(len(bucket)))
	le.PutUint32(e[12:], uint32(len(value)))
	copy(e[boltElement:], bucket+string(value))
	return file
}

func TestBoltCount(t *testing.T) {
	for _, inline := range []bool{true, false} {
		if n, err := boltMembers(bytes.NewReader(boltFile("members", 3, inline))); err != nil || n != 3 {
			t.Errorf("inline %t: %d, %v", inline, n, err)
		}
		if _, err := boltMembers(bytes.NewReader(boltFile("other", 3, inline))); err == nil {
			t.Errorf("inline %t: a bucket that is not there was counted", inline)
		}
	}
	// The newer meta page is damaged: the older one counts.
	torn := boltFile("members", 1, true)
	torn[512+boltPageHead+16]++
	if n, err := boltMembers(bytes.NewReader(torn)); err != nil || n != 1 {
		t.Errorf("with a torn meta page: %d, %v", n, err)
	}
	torn[boltPageHead+16]++
	if _, err := boltMembers(bytes.NewReader(torn)); err == nil {
		t.Error("two torn meta pages were believed")
	}
}

func FuzzBoltCount(f *testing.F) {
	for _, inline := range []bool{true, false} {
		f.Add(boltFile("members", 3, inline))
	}
	f.Add([]byte{})
	f.Add(boltFile("members", 3, false)[:1500])
	f.Fuzz(func(t *testing.T, file []byte) {
		n, err := boltMembers(bytes.NewReader(file))
		if err == nil && n*boltElement > max(len(file), maxBoltPage) {
			t.Errorf("%d elements in %d bytes", n, len(file))
		}
	})
}
