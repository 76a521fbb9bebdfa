package czstd

import (
	"encoding/binary"
	"math/bits"
)

// The primes of XXH64.
const (
	xxPrime1 = 0x9E3779B185EBCA87
	xxPrime2 = 0xC2B2AE3D27D4EB4F
	xxPrime3 = 0x165667B19E3779F9
	xxPrime4 = 0x85EBCA77C2B2AE63
	xxPrime5 = 0x27D4EB2F165667C5
)

// xxhash is XXH64 with seed 0.
type xxhash struct {
	lanes [4]uint64
	tail  []byte // less than 32 bytes
	size  uint64
}

func newXXHash() *xxhash {
	p1, p2 := uint64(xxPrime1), uint64(xxPrime2)
	return &xxhash{lanes: [4]uint64{p1 + p2, p2, 0, -p1}, tail: make([]byte, 0, 32)}
}

func xxRound(lane, v uint64) uint64 { return bits.RotateLeft64(lane+v*xxPrime2, 31) * xxPrime1 }

func (x *xxhash) write(p []byte) {
	x.size += uint64(len(p))
	if len(x.tail) > 0 {
		n := min(len(p), 32-len(x.tail))
		x.tail = append(x.tail, p[:n]...)
		if p = p[n:]; len(x.tail) < 32 {
			return
		}
		x.stripes(x.tail)
		x.tail = x.tail[:0]
	}
	n := len(p) &^ 31
	x.stripes(p[:n])
	x.tail = append(x.tail, p[n:]...)
}

func (x *xxhash) stripes(p []byte) {
	a, b, c, d := x.lanes[0], x.lanes[1], x.lanes[2], x.lanes[3]
	for ; len(p) >= 32; p = p[32:] {
		a = xxRound(a, binary.LittleEndian.Uint64(p))
		b = xxRound(b, binary.LittleEndian.Uint64(p[8:]))
		c = xxRound(c, binary.LittleEndian.Uint64(p[16:]))
		d = xxRound(d, binary.LittleEndian.Uint64(p[24:]))
	}
	x.lanes = [4]uint64{a, b, c, d}
}

func (x *xxhash) sum() uint64 {
	h := uint64(xxPrime5)
	if x.size >= 32 {
		h = bits.RotateLeft64(x.lanes[0], 1) + bits.RotateLeft64(x.lanes[1], 7) + bits.RotateLeft64(x.lanes[2], 12) + bits.RotateLeft64(x.lanes[3], 18)
		for _, lane := range x.lanes {
			h = (h^xxRound(0, lane))*xxPrime1 + xxPrime4
		}
	}
	h += x.size
	p := x.tail
	for ; len(p) >= 8; p = p[8:] {
		h = bits.RotateLeft64(h^xxRound(0, binary.LittleEndian.Uint64(p)), 27)*xxPrime1 + xxPrime4
	}
	if len(p) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(p))*xxPrime1, 23)*xxPrime2 + xxPrime3
		p = p[4:]
	}
	for _, c := range p {
		h = bits.RotateLeft64(h^uint64(c)*xxPrime5, 11) * xxPrime1
	}
	h = (h ^ h>>33) * xxPrime2
	h = (h ^ h>>29) * xxPrime3
	return h ^ h>>32
}
