package correct

import (
	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

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
		any = x.d.Decide(any, &mix.Contexts{of3(aWord, kind, c.words&0xfff), of5(aWord, kind, place, c.words&7, c.hit),
			of4(aWord, kind, uint32(w[0]), uint32(len(w))), of4(aWord, kind, uint32(w[len(w)-1]), uint32(w[0]))}, 32+int(kind))
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
	kind = kind<<1 | any
	return x.d.Decide(changed, &mix.Contexts{of4(aByte, kind, at, bytes&7), of3(aByte, kind, bytes&0xffff), of3(aByte, kind, uint32(old)),
		of4(aByte, kind, before&0xffff, uint32(old))}, 448+int(kind>>1))
}

func (x *Codec) newByte(now, old byte, kind, at uint32) byte {
	c := &x.changes
	before, was := uint32(c.before), uint32(old)
	now = x.d.Byte(now, &mix.Contexts{of3(aNewByte, kind, was), of4(aNewByte, kind, uint32(c.delta), was), of3(aNewByte, kind, before&0xff),
		of3(aNewByte, kind, at)}, 480+int(kind))
	c.delta = now - old
	return now
}
