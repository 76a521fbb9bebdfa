package czstd

import (
	"bytes"
	"encoding/binary"
)

// Sizes of the format.
const (
	magic     = 0xfd2fb528
	blockSize = 128 << 10 // ZSTD_BLOCKSIZE_MAX
	rleMost   = 25        // a block that is compressed to less may be one byte, repeated: rleMaxLength
)

// Types of blocks.
const (
	rawBlock        = 0
	rleBlock        = 1
	compressedBlock = 2
)

// state is ZSTD_compressedBlockState_t: what a block takes over from the last one that was compressed.
type state struct {
	huffman huffmanState
	rep     [repcodes]uint32
}

// frame is of ZSTD_CCtx what compresses blocks.
type frame struct {
	matcher    *matcher
	last, next state
	fields     [3]field
	codes      codes
	first      bool // no block has been written
	out        []byte
	block      []byte // being made

	huffman huffmanBuilder
	table   huffmanTable
	scratch []byte
	counts  [256]uint32
	symbols int // that counts are of
}

func newFrame(p params, version Version) *frame {
	f := &frame{matcher: newMatcher(p, version), fields: newFields()}
	f.begin([repcodes]uint32{1, 4, 8})
	return f
}

// begin forgets what came before: ZSTD_reset_compressedBlockState.
func (f *frame) begin(rep [repcodes]uint32) {
	f.first = true
	f.last.rep, f.last.huffman.check = rep, false
}

// appendHeader is ZSTD_writeFrameHeader. size is negative if it is not stated.
func appendHeader(out []byte, windowLog uint, size int64, checksum bool) []byte {
	out = binary.LittleEndian.AppendUint32(out, magic)
	descriptor, content := byte(0), 0
	if checksum {
		descriptor |= 1 << 2
	}
	switch {
	case size >= 0xffffffff:
		descriptor, content = descriptor|3<<6, 8
	case size >= 1<<16+1<<8:
		descriptor, content = descriptor|2<<6, 4
	case size >= 1<<8:
		descriptor, content = descriptor|1<<6, 2
	}
	if size >= 0 && size <= 1<<windowLog {
		out = append(out, descriptor|1<<5)
		content = max(content, 1)
	} else {
		out = append(out, descriptor, byte(windowLog-minWindowLog)<<3)
	}
	stated := uint64(size)
	if content == 2 {
		stated -= 1 << 8
	}
	for ; content > 0; content-- {
		out = append(out, byte(stated))
		stated >>= 8
	}
	return out
}

// appendBlock writes the bytes in [start, end) as a block: the part of ZSTD_compress_frameChunk that is of
// one block.
func (f *frame) appendBlock(start, end int, last bool) {
	f.matcher.window.enforce(start, f.matcher.maxDist)
	f.compress(start, end)
	header, body := uint32(end-start)<<3|rawBlock<<1, f.matcher.buf[start:end]
	switch len(f.block) {
	case 0:
	case 1:
		header, body = uint32(end-start)<<3|rleBlock<<1, f.block
	default:
		header, body = uint32(len(f.block))<<3|compressedBlock<<1, f.block
	}
	if last {
		header |= 1
	}
	f.out = append(f.out, byte(header), byte(header>>8), byte(header>>16))
	f.out = append(f.out, body...)
	f.first = false
}

// compress is ZSTD_compressBlock_internal. It leaves in f.block the block compressed, the one byte that it
// repeats, or nothing if it is not compressible.
func (f *frame) compress(start, end int) {
	m := f.matcher
	f.block = f.block[:0]
	f.next.rep = f.last.rep
	if !m.find(start, end, &f.next.rep) {
		return
	}
	suspect := m.version >= V152 && (len(m.sequences) == 0 || len(m.literals)/len(m.sequences) >= suspiciousRate)
	f.block = f.appendLiterals(f.block, m.literals, suspect)
	var ok bool
	if f.block, ok = f.appendSequences(f.block, m.sequences); !ok || len(f.block) >= end-start-minGain(end-start) {
		f.block = f.block[:0]
	}
	if plain := m.buf[start:end]; !f.first && len(f.block) < rleMost && bytes.Equal(plain[1:], plain[:len(plain)-1]) {
		f.block = append(f.block[:0], plain[0])
	}
	if len(f.block) > 1 {
		f.last, f.next = f.next, f.last
	}
}
