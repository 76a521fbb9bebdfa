package delta

import (
	"hash/maphash"
	"io"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// nestedPiece makes a file out of its expanded form.
type nestedPiece struct {
	now    expansion // of the new file; the address is its offset
	recipe *recompress.Recipe
	olds   []expansion
	pieces []piece // of the expanded form; the olds' expanded forms have the addresses behind all olds

	listing []byte // the one old, with new digests; then nothing is expanded. nil: not a listing
}

// unpacked is a content with streams expanded.
type unpacked struct {
	bytes     []byte
	streams   []packed
	stretches []stretch
}

// unpack expands streams of b.
func unpack(b []byte, streams []packed) *unpacked {
	u := &unpacked{streams: streams}
	at := 0
	for _, p := range streams {
		u.bytes = append(u.bytes, b[at:p.offset]...)
		u.bytes = append(u.bytes, p.plain...)
		size := p.size + p.check.Size()
		u.stretches = append(u.stretches, stretch{int64(p.offset - at), int64(size), int64(len(p.plain))})
		at = p.offset + size
	}
	u.bytes = append(u.bytes, b[at:]...)
	return u
}

// text tells whether u holds text: what is in front of the first stream is none.
func (u *unpacked) text() bool {
	if len(u.streams) == 0 {
		return isText(u.bytes)
	}
	return isText(u.streams[0].plain)
}

// nested plans a content that holds streams which neighbours do not have as they are, or that
// they hold compressed. It is not ok if there are none, or none that a recipe makes.
func (w *worker) nested(now []byte, then *neighbours) (piece, bool, error) {
	streams := packedStreams(now)
	olds, any := make([][]packed, len(then.parts)), false
	for i, part := range then.parts {
		if part.whole {
			olds[i] = packedStreams(then.content(i))
			any = any || len(olds[i]) > 0
		}
	}
	if len(streams) == 0 && !any || len(streams) > maxStretches {
		return piece{}, false, nil
	}
	rest := w.withoutSame(now, streams, then, olds)
	u, recipe, err := w.prove(now, rest)
	if err != nil || u == nil || len(streams) > 0 && len(u.streams) == 0 {
		return piece{}, false, err
	}
	x := w.unpackNeighbours(then, olds)
	if (int64(len(u.bytes))+costOf(x.olds))/maxInflation > int64(len(now)) {
		return piece{}, false, nil
	}
	if len(streams) == 0 && len(x.olds) == 0 {
		return piece{}, false, nil
	}
	pieces, err := w.unpackedPieces(u, x)
	if err != nil {
		return piece{}, false, err
	}
	n := &nestedPiece{now: expansion{size: int64(len(now)), stretches: u.stretches}, recipe: recipe, olds: x.olds, pieces: pieces}
	return piece{length: int64(len(now)), from: literal, nested: n}, true, nil
}

// abbreviations is how large a section is at most that others may be read with: .debug_abbrev.
const abbreviations = 64 << 10

// withoutSame leaves out the streams that both sides have: they are copied as they are. It returns
// the new ones and changes olds. An ELF file of which others change keeps the small ones: changes are
// understood with them.
func (w *worker) withoutSame(now []byte, streams []packed, then *neighbours, olds [][]packed) []packed {
	id := func(b []byte, p packed) contentID {
		return contentID{maphash.Bytes(w.c.seed, b[p.offset:p.end()]), int64(p.size)}
	}
	ids := func(into map[contentID]bool, b []byte, list []packed) map[contentID]bool {
		for _, p := range list {
			into[id(b, p)] = true
		}
		return into
	}
	small := 0
	without := func(b []byte, list []packed, have map[contentID]bool) (rest []packed) {
		for _, p := range list {
			if p.size <= small || !have[id(b, p)] {
				rest = append(rest, p)
			}
		}
		return rest
	}
	before, after := map[contentID]bool{}, ids(map[contentID]bool{}, now, streams)
	for i, list := range olds {
		ids(before, then.content(i), list)
	}
	if isELF(now) && len(without(now, streams, before)) > 0 {
		small = abbreviations
	}
	for i, list := range olds {
		olds[i] = without(then.content(i), list, after)
	}
	return without(now, streams, before)
}

// prove expands the streams that a recipe is found for. It returns nil if those are too many.
func (w *worker) prove(now []byte, streams []packed) (*unpacked, *recompress.Recipe, error) {
	search, recipe := &recompress.Streams{}, &recompress.Recipe{}
	var proven []packed
	at, left := 0, loadLimit-int64(len(now))
	for _, p := range streams {
		if err := w.ctx.Err(); err != nil {
			return nil, nil, err
		}
		if p.plain == nil && !p.inflate(now, left+int64(p.size)) || p.growth() > left {
			continue
		}
		end := p.end() + p.check.Size()
		encoder, ok, err := search.Find(w.ctx, now[p.offset:end], p.plain, p.check)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		recipe.Stored(int64(p.offset - at))
		recipe.Deflated(int64(len(p.plain)), encoder, p.check)
		at, left = end, left-p.growth()
		proven = append(proven, p)
	}
	recipe.Stored(int64(len(now) - at))
	if len(recipe.Marshal()) > maxNestedRecipe {
		return nil, nil, nil
	}
	return unpack(now, proven), recipe, nil
}

// unpackedNeighbours are neighbours with streams expanded.
type unpackedNeighbours struct {
	neighbours
	olds     []expansion
	expanded int64
	streams  []packed // of the first
}

// unpackNeighbours expands the streams of neighbours. Those with any get addresses behind all olds.
func (w *worker) unpackNeighbours(then *neighbours, streams [][]packed) *unpackedNeighbours {
	x := &unpackedNeighbours{}
	left, stretches := loadLimit-int64(len(then.bytes)), maxStretches
	for i, part := range then.parts {
		content, address := then.content(i), part.address
		var whole []packed
		for _, p := range streams[i] {
			if (p.plain != nil || p.inflate(content, left+int64(p.size))) && p.growth() <= left && stretches > 0 {
				whole = append(whole, p)
				left -= p.growth()
				stretches--
			}
		}
		if i == 0 {
			x.streams = whole
		}
		if len(whole) > 0 {
			u := unpack(content, whole)
			x.olds = append(x.olds, expansion{address: address, size: int64(len(content)), stretches: u.stretches})
			content, address = u.bytes, w.c.src.size+x.expanded
			x.expanded += int64(len(content))
		}
		x.add(content, address, part.whole)
	}
	return x
}

// unpackedPieces plans an expanded content. A program reads as one meanwhile.
func (w *worker) unpackedPieces(u *unpacked, x *unpackedNeighbours) ([]piece, error) {
	kind := opBinary
	if u.text() {
		kind = opText
	}
	if isELF(u.bytes) && len(x.parts) == 1 {
		undoNow, undoThen := reshape(u.bytes, u.streams), reshape(x.bytes, x.streams)
		p, ok, err := w.program(u.bytes, &x.neighbours, func() {
			undoNow()
			undoThen()
		})
		if ok || err != nil {
			return []piece{p}, err
		}
	}
	return w.pieces(u.bytes, &x.neighbours, kind, false)
}

// nested writes a nested operation, and the ones in it.
func (e *encoder) nested(p piece) error {
	n := p.nested
	if n.listing != nil {
		return e.listing(p)
	}
	now := n.now
	now.address = e.at
	plain, free, err := expandFiles(e.ctx, newSource([]Old{{ReaderAt: e.plain, Size: e.at + p.length}}), []expansion{now}, e.dir)
	if err != nil {
		return err
	}
	defer free()
	base, free, err := expandFiles(e.ctx, e.all, n.olds, e.dir)
	if err != nil {
		return err
	}
	defer free()
	e.op(opNested, p.length)
	e.streams[streamOps].Write(appendNested(nil, n.olds, n.recipe))
	for i := range n.olds {
		o := &n.olds[i]
		old := e.oldOf(o.address)
		address := e.used[old] + o.address - e.all.starts[old]
		e.streams[streamSources].Write(appendZigzag(nil, address-e.next))
		e.next = address + o.size
	}
	inner := e.inside(plain, base)
	if len(n.olds) == 0 {
		inner.next = e.next
	}
	if base.Size > inMemory {
		e.scratch = max(e.scratch, base.Size)
	}
	return inner.pieces(n.pieces)
}

// inside is an encoder of what makes plain out of all that e has and base behind it.
func (e *encoder) inside(plain io.ReaderAt, base Old) *encoder {
	return &encoder{ctx: e.ctx, plain: plain, all: e.all.with(base), src: e.src.with(base), mixed: e.mixed, programs: e.programs,
		used: slices.Concat(e.used, []int64{e.src.size}), streams: e.streams, next: e.src.size, dir: e.dir}
}

// reads marks the olds that pieces read.
func (e *encoder) reads(pieces []piece, marks []bool) {
	for _, p := range pieces {
		if p.from >= 0 && p.from < e.all.size {
			marks[e.oldOf(p.from)] = true
		}
		if p.nested == nil {
			continue
		}
		for _, o := range p.nested.olds {
			marks[e.oldOf(o.address)] = true
		}
		e.reads(p.nested.pieces, marks)
	}
}
