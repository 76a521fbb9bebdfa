package recompress

import (
	"slices"

	"github.com/sallyport-dev/sallyport/delta/recompress/cdeflate"
)

// hint is what a stream shows about its encoder before anything is tried.
type hint struct {
	xfl, os byte    // of the gzip header
	blocks  []int32 // sizes of blocks compressed by themselves, 0: none; nil: any
	flushed bool    // the stream ends with a joint
}

// What gzip headers say (RFC 1952, 2.3.1).
const (
	xflBest    = 2
	xflFastest = 4
	osUnix     = 3
	osUnknown  = 255 // what Go's packages write, and Java's and Python's
)

var (
	goFamilies = []byte{familyGo126, familyKP1203, familyKP1180, familyGo127, familyKP1136, familyKP1150, familyKP1144, familyKP1117}
	cFamilies  = []byte{familyZlib, familyGNU, familyPigz}
	anyBlock   = []int32{0, 1 << 20, pigzDefault, 256 << 10}
)

// levels are all levels, the ones that the header makes likely first. Where it says nothing these are
// the defaults of C programs and Go, of klauspost/compress, and of go-containerregistry.
func (h hint) levels() []int8 {
	likely := []int8{6, 5, 1, 9}
	switch h.xfl {
	case xflBest:
		likely = []int8{9, 8}
	case xflFastest:
		likely = []int8{1, 2}
	}
	for _, level := range []int8{6, 5, 1, 9, 2, 3, 4, 7, 8, 0, huffmanOnly} {
		if !slices.Contains(likely, level) {
			likely = append(likely, level)
		}
	}
	return likely
}

func (h hint) families() []byte {
	if h.os == osUnix {
		return slices.Concat(cFamilies, goFamilies)
	}
	return slices.Concat(goFamilies, cFamilies)
}

// deflateEncoders are the candidates for a DEFLATE stream, likeliest first.
func deflateEncoders(h hint) []encoder {
	var list []encoder
	levels := h.levels()
	for _, group := range [][]int8{levels[:2], levels[2:4], levels[4:]} {
		for _, family := range h.families() {
			for _, level := range group {
				list = h.add(list, family, level)
			}
		}
	}
	return list
}

// add appends the encoders of a family and level that fit h's blocks.
func (h hint) add(list []encoder, family byte, level int8) []encoder {
	g, inGo := goEncoders[family]
	if inGo && !slices.Contains(g.levels, level) || !inGo && level < 1 {
		return list
	}
	blocks := h.blocks
	if blocks == nil {
		blocks = anyBlock
	}
	if inGo && h.flushed {
		list = append(list, encoder{family: family, level: level, flushed: true})
	}
	for _, block := range blocks {
		switch {
		case family == familyPigz && (block == 0 || int(block) < cdeflate.MinPigzBlock), inGo && g.newDict == nil && block != 0, (family == familyZlib || family == familyGNU) && block != 0:
			continue
		case family == familyPigz && block == pigzDefault:
			block = 0
		}
		list = append(list, encoder{family: family, level: level, block: block})
	}
	return list
}

// pigzDefault is pigz's block, which its recipes write as 0.
const pigzDefault = 128 << 10
