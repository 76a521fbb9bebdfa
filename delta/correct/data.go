package correct

import "github.com/sallyport-dev/sallyport/delta/program"

// word is how many bytes of data one decision may leave as they are.
const word = 8

// strideOf is how many bytes an item of a table has, in which the same places are alike.
func strideOf(k program.Kind) int64 {
	if k == program.Relocations || k == program.Symbols {
		return 24
	}
	return 8
}

// Data corrects bytes that are no instruction.
func (x *Codec) Data(b []byte, at program.Place) {
	c := &x.changes
	kind := uint32(at.Kind)
	for len(b) > 0 {
		w := b[:min(len(b), int(word-at.New&(word-1)))]
		place := uint32(at.Offset % strideOf(at.Kind))
		want := c.want(at.New, len(w))
		any := uint32(0)
		for i := range want {
			any |= bit(want[i] != w[i])
		}
		any = x.d.Decide(any, kind, []uint32{hash(aWord, c.words&15), hash(aWord, c.words&0xfff, 1), hash(aWord, place, c.words&7, c.hit, 2), hash(aWord, uint32(at.New)&63>>3, c.hit, c.words&1, 5),
			hash(aWord, uint32(w[0]), uint32(len(w)), 3), hash(aWord, uint32(w[len(w)-1]), uint32(w[0]), 4)}, 12, 32+int(kind))
		c.words = c.words<<1 | any
		c.hit |= any
		if any == 1 {
			x.word(w, want, kind, place)
		} else {
			c.bytes <<= uint(len(w))
			for _, v := range w {
				c.before = c.before<<8 | uint64(v)
			}
		}
		b = b[len(w):]
		at.New, at.Offset = at.New+int64(len(w)), at.Offset+int64(len(w))
	}
}

// word codes the bytes of a word that changes.
func (x *Codec) word(b, want []byte, kind, place uint32) {
	c := &x.changes
	any := uint32(0)
	for i, old := range b {
		now := byte(0)
		if want != nil {
			now = want[i]
		}
		at := place + uint32(i)
		changed := uint32(1)
		if i < len(b)-1 || any == 1 {
			changed = x.byteChanges(bit(now != old), old, kind, at, any)
		}
		any |= changed
		c.bytes = c.bytes<<1 | uint64(changed)
		if changed == 1 {
			b[i] = x.newByte(now, old, kind, at)
		}
		c.before = c.before<<8 | uint64(b[i])
	}
}

func (x *Codec) byteChanges(changed uint32, old byte, kind, at, any uint32) uint32 {
	c := &x.changes
	before, bytes := uint32(c.before), uint32(c.bytes)
	return x.d.Decide(changed, any, []uint32{hash(aByte, kind, at, bytes&7), hash(aByte, kind, bytes&0xffff, 1), hash(aByte, kind, uint32(old), 2),
		hash(aByte, kind, before&0xff, 3), hash(aByte, kind, uint32(c.deltas[at&31]), at, 4), hash(aByte, kind, before&0xffff, uint32(old), 5),
		hash(aByte, kind, bytes>>7&7, uint32(c.bytes>>23)&7, bytes&1)}, 448+int(kind), 32+int(at&31))
}

func (x *Codec) newByte(now, old byte, kind, at uint32) byte {
	c := &x.changes
	before, was := uint32(c.before), uint32(old)
	last := c.lastAt(hash(aNewByte, kind, was))
	now = x.byte(now, []uint32{hash(aNewByte, kind, was), hash(aNewByte, kind, uint32(c.delta), was, 1), hash(aNewByte, kind, before&0xff, 2),
		hash(aNewByte, at, uint32(c.deltas[at&31]), was, 3), hash(aNewByte, uint32(*last), kind, was, 4), hash(aNewByte, kind, at, 6)}, 480+int(kind))
	*last = uint16(now) + 1
	c.delta = now - old
	c.deltas[at&31] = c.delta
	return now
}
