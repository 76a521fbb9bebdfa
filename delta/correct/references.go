package correct

import (
	"encoding/binary"

	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// reference is what is known of a reference.
type reference struct {
	*program.Reference
	seen   address // what an earlier one to the same address says; count 0: nothing
	cover  program.Cover
	state  uint32 // how sure it is
	place  uint32 // of its target among spans
	actual int64  // the address that it is to name, if that is known
}

// where returns an address's place.
func (c *changes) where(old int64) *address {
	return &c.addresses[uint64(old)*0x9e3779b97f4a7c15>>(64-addressBits)]
}

// learn takes note of where a reference leads.
func (c *changes) learn(u *program.Unit, r *program.Reference) {
	a := c.where(r.Target)
	if actual := r.Origin + number(u.Bytes[r.At:], r.Width); a.old != r.Target || a.new != actual {
		*a = address{old: r.Target, new: actual}
	}
	a.count++
}

// reference finds out what is known of a reference. want is the instruction as it is to be, or nil.
func (c *changes) reference(r *program.Reference, want []byte) reference {
	k := reference{Reference: r, cover: c.p.Covered(r.Target, r.Moved, r.Origin)}
	if a := c.where(r.Target); a.count > 0 && a.old == r.Target {
		k.seen = *a
		if k.state = min(a.count, 4); a.new != r.Moved {
			k.state += 4
		}
	}
	k.state = k.state<<4 | uint32(k.cover.Count)<<2 | bit(r.Known)<<1 | bit(r.Width == 4)
	if at := c.p.OldOffset(r.Target); at >= c.copy.Old && at < c.copy.Old+c.copy.Size {
		k.place = 1
	} else {
		k.place = 2 + min(size(k.cover.Before), 7)<<3 + min(size(k.cover.After), 7)
	}
	if want != nil {
		k.actual = r.Origin + number(want[r.At:], r.Width)
	}
	return k
}

// number reads a signed number of one or four bytes.
func number(b []byte, width int) int64 {
	if width == 1 {
		return int64(int8(b[0]))
	}
	return int64(int32(binary.LittleEndian.Uint32(b)))
}

func put(b []byte, width int, v int64) {
	if width == 1 {
		b[0] = byte(v)
		return
	}
	binary.LittleEndian.PutUint32(b, uint32(v))
}

// references codes what references of an instruction change, and returns how many do.
func (x *Codec) references(in *instruction) (wrong uint32) {
	c := &x.changes
	for i := range in.refs[:in.Count] {
		r := &in.refs[i]
		says, node := r.Origin+number(in.Bytes[r.At:], r.Width), uint32(i)<<1|wrong
		if x.d.Decide(bit(r.actual != says), &mix.Contexts{of3(aWrong, node, r.state), of4(aWrong, node, in.opcode, r.state>>4), of3(aWrong, node, in.whole),
			of4(aWrong, node, r.place, r.state)}, 9) == 1 {
			x.wrong(in, r, says)
			wrong = 1
		}
		c.learn(in.Unit, r.Reference)
	}
	return wrong
}

// wrong codes where a reference leads that projection got wrong.
func (x *Codec) wrong(in *instruction, r *reference, says int64) {
	c := &x.changes
	to := in.Bytes[r.At:]
	if r.seen.count > 0 && r.seen.new != says {
		if x.d.Decide(bit(r.actual == r.seen.new), &mix.Contexts{of2(aMove, r.state), of2(aMove, min(r.seen.count, 10)), of2(aMove, in.opcode), of2(aMove, r.place)}, 10) == 1 {
			put(to, r.Width, r.seen.new-r.Origin)
			return
		}
	}
	if r.cover.Count > 1 {
		if x.d.Decide(bit(r.actual == r.cover.Other), &mix.Contexts{of2(anotherCopy, r.state), of2(anotherCopy, size(max(r.cover.Other-r.Origin, r.Origin-r.cover.Other))), of2(anotherCopy, in.opcode), of2(anotherCopy, r.place)}, 11) == 1 {
			put(to, r.Width, r.cover.Other-r.Origin)
			return
		}
	}
	if to := c.p.NewOffset(says); c.places.Has(to) {
		if actual, ok := x.placed(in, r, to); ok {
			put(in.Bytes[r.At:], r.Width, actual-r.Origin)
			return
		}
	}
	d := x.signed(int64(int32(r.actual-says)), aTarget, r.state&15, in.opcode, c.moved)
	c.moved = size(max(d, -d))<<1 | bit(d < 0)
	put(to, r.Width, says+d-r.Origin)
}

// placed codes whether a reference leads to a place, not to an offset in the new file, and to which.
func (x *Codec) placed(in *instruction, r *reference, says int64) (int64, bool) {
	c := &x.changes
	at := c.p.NewOffset(r.actual)
	is := x.d.Decide(bit(x.encoding && c.places.Is(at)), &mix.Contexts{of2(aPlace, r.state), of2(aPlace, in.opcode), of2(aPlace, c.moved), of2(aPlace, r.place)}, 13)
	if is == 0 {
		return 0, false
	}
	d := int64(0)
	if x.encoding {
		d = c.places.Rank(at) - c.places.Rank(says)
	}
	d = x.signed(d, aPlaceBy, r.state&15, in.opcode, c.moved)
	c.moved = size(max(d, -d))<<1 | bit(d < 0) | 1<<8
	at, ok := c.places.Find(c.places.Rank(says) + d)
	address, is2 := c.p.NewAddress(at)
	if !ok || !is2 {
		x.err = ErrInvalid
		return 0, false
	}
	return address, true
}
