// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package zstd

import (
	"github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/huff0"
)

const (
	maxCompressedBlockSize = 128 << 10
	maxMatchLen            = 131074

	maxOffsetBits = 30

	frameMagic = "\x28\xb5\x2f\xfd"

	MinWindowSize = 1 << 10
)

type blockType uint8

const (
	blockTypeRaw blockType = iota
	blockTypeRLE
	blockTypeCompressed
)

type literalsBlockType uint8

const (
	literalsBlockRaw literalsBlockType = iota
	literalsBlockRLE
	literalsBlockCompressed
	literalsBlockTreeless
)

type seqCompMode uint8

const (
	compModePredefined seqCompMode = iota
	compModeRLE
	compModeFSE
	compModeRepeat
)

// seq is a sequence and its codes.
type seq struct {
	litLen, matchLen, offset uint32
	llCode, mlCode, ofCode   uint8
}

func tableStep(tableSize uint32) uint32 { return tableSize>>1 + tableSize>>3 + 3 }

// fseDecoder is what is left of a decoder: a predefined distribution.
type fseDecoder struct {
	norm           [256]int16
	symbolLen      uint16
	actualTableLog uint8
	preDefined     bool
}

func (*fseDecoder) buildDtable(...*symbolExt) error { return nil }

// symbolExt is a part of a decoder's table.
type symbolExt [256]decSymbol

type decSymbol struct{}

func newDecSymbol(_, _ uint8, _ uint16, _ uint32) (s decSymbol) { return s }

// dict is a dictionary.
type dict struct {
	id                  uint32
	litEnc              *huff0.Scratch
	llEnc, ofEnc, mlEnc *fseEncoder
	offsets             [3]int
	content             []byte
}

func (d *dict) ID() uint32 {
	if d == nil {
		return 0
	}
	return d.id
}

func (d *dict) ContentSize() int {
	if d == nil {
		return 0
	}
	return len(d.content)
}

// WithOlderTables chooses tables as versions 1.14.4 to 1.20.2 do.
func WithOlderTables(older bool) EOption {
	return func(o *encoderOptions) error { o.olderTables = older; return nil }
}

func (b *blockEnc) with(olderTables bool) *blockEnc {
	b.olderTables = olderTables
	return b
}

func (b *blockEnc) choose(cur, prev, preDef *fseEncoder) (*fseEncoder, seqCompMode) {
	if !b.olderTables {
		return b.chooseComp(cur, prev, preDef)
	}
	hist := cur.count[:cur.symbolLen]
	nSize := cur.approxSize(hist) + cur.maxHeaderSize()
	predefSize := preDef.approxSize(hist)
	prevSize := prev.approxSize(hist)
	nSize = nSize + (nSize+2*8*16)>>4
	switch {
	case predefSize <= prevSize && predefSize <= nSize:
		return preDef, compModePredefined
	case prevSize <= nSize:
		return prev, compModeRepeat
	}
	return cur, compModeFSE
}
