package recompress

import (
	"encoding/binary"
	"fmt"
)

// Recipe says how plain bytes become a blob again.
type Recipe struct {
	parts []part
}

// part makes a stretch of the blob out of the next plain bytes.
type part struct {
	kind      kind
	plainSize int64
	verbatim  []byte
	encoder   encoder
}

// recipeVersion is the first byte of a marshalled recipe.
const recipeVersion = 1

// MaxRecipe is the most bytes that a marshalled recipe has.
const MaxRecipe = 2*maxVerbatim + 1

// PlainSize returns how many plain bytes the recipe takes.
func (r *Recipe) PlainSize() int64 {
	var n int64
	for _, p := range r.parts {
		n += p.plainSize
	}
	return n
}

// String names the recipe's encoder for people, such as "go gzip -6".
func (r *Recipe) String() string {
	for _, p := range r.parts {
		if p.kind == kindDeflate || p.kind == kindZstd {
			return p.encoder.String()
		}
	}
	return "plain"
}

// Marshal returns the recipe's one byte form.
func (r *Recipe) Marshal() []byte {
	b := []byte{recipeVersion}
	b = binary.AppendUvarint(b, uint64(len(r.parts)))
	for _, p := range r.parts {
		b = append(b, byte(p.kind))
		if p.kind == kindVerbatim {
			b = binary.AppendUvarint(b, uint64(len(p.verbatim)))
			b = append(b, p.verbatim...)
			continue
		}
		b = binary.AppendUvarint(b, uint64(p.plainSize))
		if p.kind != kindStored {
			b = append(b, p.encoder.family, byte(p.encoder.level))
			b = binary.AppendUvarint(b, uint64(p.encoder.block))
		}
	}
	return b
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
	count := p.uvarint(maxSegments)
	r := &Recipe{}
	var plain int64
	for range count {
		next := p.part()
		if p.bad {
			break
		}
		if plain += next.plainSize; plain > maxPlain {
			return nil, malformed("recipe takes more than %d plain bytes", int64(maxPlain))
		}
		r.parts = append(r.parts, next)
	}
	if p.bad || len(p.b) > 0 {
		return nil, malformed("recipe is malformed")
	}
	return r, nil
}

// maxPlain bounds what a recipe may take: 1 TiB.
const maxPlain = 1 << 40

// parser takes numbers from b until the first fault.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) part() part {
	next := part{kind: kind(p.byte())}
	switch next.kind {
	case kindVerbatim:
		next.verbatim = p.take(p.uvarint(maxVerbatim))
	case kindStored:
		next.plainSize = p.uvarint(maxPlain)
	case kindDeflate, kindZstd, kindRaw, kindZlib:
		next.plainSize = p.uvarint(maxPlain)
		next.encoder = encoder{family: p.byte(), level: int8(p.byte())}
		next.encoder.block = int32(p.uvarint(maxBlock))
	default:
		p.bad = true
	}
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
