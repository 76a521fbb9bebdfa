// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package zstd

import (
	"errors"

	"github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/huff0"
)

const (
	maxCompressedBlockSize = 128 << 10
	maxMatchLen            = 131074
	maxSequences           = 0x7f00 + 0xffff
	maxOffsetBits          = 30
	maxTableLog            = 9
	dictMaxLength          = 1 << 31
	frameMagic             = "\x28\xb5\x2f\xfd"

	MinWindowSize = 1 << 10
	MaxWindowSize = 1 << 29
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
func (*fseDecoder) transform([]baseOffset) error    { return nil }

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

func loadDict([]byte) (*dict, error) { return nil, errors.New("zstd: no dictionaries") }
