package program

import (
	"bytes"
	"slices"
)

// Offsets in a frame description of .eh_frame, and what is at least in one.
const (
	ehHead     = 4  // the distance back to the common information entry
	ehFunction = 8  // where the function begins, from here, and its length
	ehSpecific = 16 // the length of what a personality routine gets: its data's place, from here
	ehLeast    = 12 // bytes that count
)

// ehFrame notes what .eh_frame's descriptions refer to where that is relative to itself, as linkers
// write it: each its head, its function and its language's data.
func (p *Program) ehFrame(r Region) error {
	t, heads := p.table(r.Offset, r.Size), p.table(r.Offset, r.Size)
	head, specific := int64(-1), false
	for at := int64(0); at+ehLeast <= r.Size && t.err == nil; {
		length := int64(t.uint32(at))
		if length < 4 || length >= 0xfffffff0 {
			break
		}
		if back := int64(t.uint32(at + ehHead)); back != 0 && length >= ehLeast {
			if at+ehHead-back != head {
				head = at + ehHead - back
				specific = ehHasData(heads, head)
			}
			p.note(r.Offset+at+ehHead, behindSelf, 0)
			p.note(r.Offset+at+ehFunction, function, 0)
			if specific && length >= ehSpecific+1 && t.bytes(at+ehSpecific, 1)[0] == 4 {
				p.note(r.Offset+at+ehSpecific+1, fromSelf, 0)
			}
		}
		at += 4 + length
	}
	if t.err != nil {
		return t.err
	}
	return heads.err
}

// ehHasData tells whether the descriptions of a common information entry have data for their language:
// its augmentation says L.
func ehHasData(t *table, at int64) bool {
	augmentation, _, _ := bytes.Cut(t.bytes(at+9, 8), []byte{0})
	return len(augmentation) > 1 && augmentation[0] == 'z' && bytes.IndexByte(augmentation, 'L') > 0
}

// Numbers of .eh_frame_hdr.
const (
	ehIndexHead = 12
	ehIndexItem = 8
	maxEHIndex  = 8 << 20 // bytes
)

// makeIndex makes the new file's .eh_frame_hdr: where the functions and descriptions of the old one
// went, in the order of functions.
func (p *Program) makeIndex() error {
	p.index = nil
	n := slices.IndexFunc(p.Regions, func(r Region) bool { return r.Kind == EHIndex })
	if n < 0 || p.Regions[n].Size > maxEHIndex || p.Regions[n].Size < ehIndexHead {
		return nil
	}
	r := p.Regions[n]
	old := make([]byte, r.Size)
	if m, err := p.Old.ReadAt(old, r.Offset); m < len(old) {
		return err
	}
	base := p.Bases[r.Base]
	type item struct{ function, description int64 }
	items := make([]item, (r.Size-ehIndexHead)/ehIndexItem)
	for i := range items {
		b := old[ehIndexHead+i*ehIndexItem:]
		items[i] = item{p.indexed(base, word(b)), p.indexed(base, word(b[4:]))}
	}
	slices.SortFunc(items, func(a, b item) int {
		if a.function != b.function {
			return compare(a.function, b.function)
		}
		return compare(a.description, b.description)
	})
	for i, x := range items {
		b := old[ehIndexHead+i*ehIndexItem:]
		putWord(b, x.function)
		putWord(b[4:], x.description)
	}
	const frame = 4 // where .eh_frame is, from here
	if moved, ok := p.Target(base.Old + frame + word(old[frame:])); ok {
		putWord(old[frame:], moved-base.New-frame)
	}
	p.index = old
	return nil
}

// Index returns what the old file's .eh_frame_hdr becomes, and where it begins there and stands in the
// new file, with its size in the latter.
func (p *Program) Index() ([]byte, Span) { return p.index, p.indexAt }

// indexed returns a new offset from a base, or the old one where that is not known.
func (p *Program) indexed(base Base, old int64) int64 {
	if moved, ok := p.Target(base.Old + old); ok {
		return int64(int32(moved - base.New))
	}
	return old
}

// projectIndex puts the new file's .eh_frame_hdr into a window.
func (p *Program) projectIndex(r *Region, w *window) int {
	if at := w.old - r.Offset; at < int64(len(p.index)) {
		copy(w.b[:w.n], p.index[at:])
	}
	return w.n
}
