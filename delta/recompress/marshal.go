package recompress

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Limits of a recipe's tables.
const (
	maxEncoders = 1 << 16
	maxPattern  = 4 // parts that a run repeats
	flushedBit  = 1 << 7
)

// Marshal returns the recipe's one byte form: its encoders, its verbatim bytes, each once, and runs of
// parts, since a blob of many members repeats a header and an encoder.
func (r *Recipe) Marshal() []byte {
	var b []byte
	r.marshal(func(p ...byte) { b = append(b, p...) })
	return b
}

// marshal gives the byte form to put, piece by piece: one that is compared need not be held as well.
func (r *Recipe) marshal(put func(...byte)) {
	var buf [binary.MaxVarintLen64]byte
	number := func(v uint64) { put(buf[:binary.PutUvarint(buf[:], v)]...) }
	put(recipeVersion)
	number(uint64(len(r.encoders)))
	for _, e := range r.encoders {
		put(e.marshal()...)
		if e.family == familyTokens {
			number(uint64(len(e.differences)))
			put(e.differences...)
		}
	}
	number(uint64(len(r.verbatims)))
	for _, v := range r.verbatims {
		number(uint64(len(v)))
		put(v...)
	}
	number(uint64(len(r.parts)))
	for at := 0; at < len(r.parts); {
		length, times := r.run(at)
		put(byte(length))
		number(uint64(times))
		for _, p := range r.parts[at : at+length] {
			put(byte(p.kind))
			if p.kind != kindStored {
				number(uint64(p.index))
			}
		}
		for _, p := range r.parts[at : at+length*times] {
			if p.kind != kindVerbatim {
				number(uint64(p.plainSize))
			}
		}
		at += length * times
	}
}

// marshal returns e's byte form but for its differences.
func (e encoder) marshal() []byte {
	family := e.family
	if e.flushed {
		family |= flushedBit
	}
	return binary.AppendUvarint([]byte{family, byte(e.level)}, uint64(e.block))
}

// run returns which parts from at on are repeated most often, but for their plain sizes: their number
// and how often.
func (r *Recipe) run(at int) (length, times int) {
	length, times = 1, 1
	for n := 1; n <= maxPattern && at+n <= len(r.parts); n++ {
		end := at + n
		for end < len(r.parts) && r.parts[end].index == r.parts[end-n].index && r.parts[end].kind == r.parts[end-n].kind {
			end++
		}
		if t := (end - at) / n; t > 1 && n*t > length*times {
			length, times = n, t
		}
	}
	return length, times
}

// Parse reads a marshalled recipe. A recipe of a newer version than this program's is an error of
// reason "newer".
func Parse(b []byte) (*Recipe, error) {
	if len(b) == 0 || len(b) > MaxRecipe {
		return nil, malformed("recipe of %d bytes", len(b))
	}
	if b[0] != recipeVersion {
		return nil, &Error{reason: "newer", message: fmt.Sprintf("recipe of version %d; this program knows %d", b[0], recipeVersion)}
	}
	p := &parser{b: b[1:]}
	p.tables()
	var parts []part
	for count := int(p.uvarint(maxSegments)); !p.bad && len(parts) < count; {
		parts = p.run(parts, count)
	}
	if !p.bad && p.plain > maxPlain {
		return nil, malformed("recipe takes more than %d plain bytes", int64(maxPlain))
	}
	if p.bad || len(p.b) > 0 {
		return nil, malformed("recipe is malformed")
	}
	r := p.rebuild(parts)
	same := true
	r.marshal(func(p ...byte) {
		if same = same && bytes.HasPrefix(b, p); same {
			b = b[len(p):]
		}
	})
	if !same || len(b) > 0 {
		return nil, malformed("recipe is not in its one byte form")
	}
	return r, nil
}

// rebuild makes a recipe as Find would: its tables in the order of their use, nothing in them twice or
// in vain.
func (p *parser) rebuild(parts []part) *Recipe {
	r := &Recipe{}
	for _, q := range parts {
		switch q.kind {
		case kindVerbatim:
			r.verbatim(p.verbatims[q.index])
		case kindStored:
			r.parts = append(r.parts, q)
		default:
			r.encoded(q.kind, q.plainSize, p.encoders[q.index])
		}
	}
	r.known = nil
	return r
}

// parser takes numbers from b until the first fault.
type parser struct {
	b         []byte
	bad       bool
	encoders  []encoder
	verbatims [][]byte
	plain     int64 // plain bytes of the parts so far
}

func (p *parser) tables() {
	for count := p.uvarint(maxEncoders); count > 0 && !p.bad; count-- {
		family := p.byte()
		e := encoder{family: family &^ flushedBit, flushed: family&flushedBit != 0, level: int8(p.byte())}
		e.block = int32(p.uvarint(maxBlock))
		if e.family == familyTokens {
			e.differences = p.take(p.uvarint(maxDifferences))
		}
		p.encoders = append(p.encoders, e)
	}
	for count := p.uvarint(maxSegments); count > 0 && !p.bad; count-- {
		p.verbatims = append(p.verbatims, p.take(p.uvarint(maxVerbatim)))
	}
}

// run appends the parts of a run, at most up to count.
func (p *parser) run(parts []part, count int) []part {
	var pattern [maxPattern]part
	length := int(p.byte())
	times := int(p.uvarint(maxSegments))
	if length < 1 || length > maxPattern || times < 1 || times > (count-len(parts))/length {
		p.bad = true
		return parts
	}
	for i := range length {
		pattern[i] = p.part()
	}
	for i := 0; i < length*times && !p.bad; i++ {
		next := pattern[i%length]
		if next.kind != kindVerbatim {
			next.plainSize = p.uvarint(maxPlain)
			p.plain = min(p.plain+next.plainSize, maxPlain+1)
		}
		parts = append(parts, next)
	}
	return parts
}

// part takes a part but for its plain size.
func (p *parser) part() part {
	next := part{kind: kind(p.byte())}
	entries := len(p.encoders)
	switch next.kind {
	case kindStored:
		return next
	case kindVerbatim:
		entries = len(p.verbatims)
	case kindDeflate, kindZstd, kindRaw, kindZlib:
	default:
		p.bad = true
	}
	next.index = int32(p.uvarint(maxSegments))
	p.bad = p.bad || int(next.index) >= entries
	return next
}

func (p *parser) byte() byte {
	b := p.take(1)
	if p.bad {
		return 0
	}
	return b[0]
}

func (p *parser) take(n int64) []byte {
	if p.bad || n > int64(len(p.b)) {
		p.bad = true
		return nil
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

// uvarint takes a number of at most limit, in its shortest form.
func (p *parser) uvarint(limit int64) int64 {
	v, n := binary.Uvarint(p.b)
	if p.bad || n <= 0 || v > uint64(limit) || n > 1 && p.b[n-1] == 0 {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return int64(v)
}
