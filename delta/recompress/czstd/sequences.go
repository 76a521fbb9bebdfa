package czstd

import "encoding/binary"

// codes are the codes of a block's sequences: seqStore_t's llCode, ofCode and mlCode.
type codes struct{ literals, offset, match []byte }

// Extra bits of a code: LL_bits and ML_bits.
var (
	literalBits = [36]uint8{16: 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	matchBits   = [53]uint8{32: 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
)

// The distributions that need no description: LL_defaultNorm, OF_defaultNorm, ML_defaultNorm.
var (
	literalNorm = []int16{
		4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1,
		2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
	}
	offsetNorm = []int16{
		1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
	}
	matchNorm = []int16{
		1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
	}
)

// field is one of the three numbers of sequences.
type field struct {
	norm    []int16 // of the predefined table
	normLog int
	most    int // log of a table of its own
	table   encodingTable
}

func newFields() [3]field {
	return [3]field{{norm: literalNorm, normLog: 6, most: 9}, {norm: offsetNorm, normLog: 5, most: 8}, {norm: matchNorm, normLog: 6, most: 9}}
}

var (
	literalCodes = codeTable(literalBits[:], 64)
	matchCodes   = codeTable(matchBits[:], 128)
)

// codeTable maps small lengths to their codes: ZSTD_LLcode and ZSTD_MLcode.
func codeTable(extra []uint8, n int) []uint8 {
	table := make([]uint8, 0, n)
	for c, b := range extra {
		for range min(1<<b, n-len(table)) {
			table = append(table, uint8(c))
		}
	}
	return table
}

// encode is ZSTD_seqToCodes.
func (c *codes) encode(sequences []sequence) {
	c.literals, c.offset, c.match = c.literals[:0], c.offset[:0], c.match[:0]
	for _, s := range sequences {
		literals, match := uint8(highBit(s.literals|1)+19), uint8(highBit(s.match|1)+36)
		if s.literals < 64 {
			literals = literalCodes[s.literals]
		}
		if s.match < 128 {
			match = matchCodes[s.match]
		}
		c.literals, c.offset, c.match = append(c.literals, literals), append(c.offset, uint8(highBit(s.offBase))), append(c.match, match)
	}
}

// appendSequences writes the second half of a block: of ZSTD_entropyCompressSeqStore_internal what follows the
// literals. It says false where libzstd leaves a block alone for the sake of old decoders.
func (f *frame) appendSequences(out []byte, sequences []sequence) ([]byte, bool) {
	n := len(sequences)
	switch {
	case n < 128:
		out = append(out, byte(n))
	case n < 0x7f00:
		out = append(out, byte(n>>8+0x80), byte(n))
	default:
		out = binary.LittleEndian.AppendUint16(append(out, 0xff), uint16(n-0x7f00))
	}
	if n == 0 {
		return out, true
	}
	f.codes.encode(sequences)
	head := len(out)
	out = append(out, 0)
	last, modes := 0, byte(0)
	for i, of := range [][]byte{f.codes.literals, f.codes.offset, f.codes.match} {
		start := len(out)
		var mode byte
		var err error
		if out, mode, err = f.fields[i].choose(out, of, f.matcher.strategy, f.matcher.version); err != nil {
			return out, false
		}
		if mode == compressed {
			last = len(out) - start
		}
		modes = modes<<2 | mode
	}
	out[head] = modes << 2
	start := len(out)
	out = f.bitstream(out, sequences)
	return out, last == 0 || last+len(out)-start >= 4
}

// choose is ZSTD_selectEncodingType of the fast strategies, and ZSTD_buildCTable.
func (f *field) choose(out, of []byte, s strategy, version Version) ([]byte, byte, error) {
	var counts [maxSymbols]uint32
	for _, c := range of {
		counts[c]++
	}
	symbols, most := 0, uint32(0)
	for c, n := range counts {
		if n > 0 {
			symbols, most = c+1, max(most, n)
		}
	}
	predefined := symbols <= len(f.norm)
	switch {
	case int(most) == len(of) && predefined && len(of) <= 2:
	case int(most) == len(of):
		f.table.one()
		return append(out, of[0]), rle, nil
	case predefined && (len(of) < 1<<f.normLog*(10-int(s))>>3 || int(most) < len(of)>>(f.normLog-1)):
	default:
		out, err := f.describe(out, of, counts[:symbols], version)
		return out, compressed, err
	}
	f.table.build(f.norm, f.normLog)
	return out, basic, nil
}

// describe builds a table for a block and writes it.
func (f *field) describe(out, of []byte, counts []uint32, version Version) ([]byte, error) {
	log, total := optimalTableLog(f.most, len(of), len(counts)-1, 2), len(of)
	if last := of[len(of)-1]; counts[last] > 1 {
		counts[last]--
		total--
	}
	low := int16(1)
	if total >= 2048 || version < V148 {
		low = -1
	}
	var norm [maxSymbols]int16
	if err := normalize(norm[:len(counts)], log, counts, total, low); err != nil {
		return out, err
	}
	out, err := appendDistribution(out, norm[:len(counts)], log)
	f.table.build(norm[:len(counts)], log)
	return out, err
}

// bitstream is ZSTD_encodeSequences.
func (f *frame) bitstream(out []byte, sequences []sequence) []byte {
	w := &bitWriter{out: out}
	n := len(sequences) - 1
	literals := f.fields[0].table.begin(f.codes.literals[n])
	offset := f.fields[1].table.begin(f.codes.offset[n])
	match := f.fields[2].table.begin(f.codes.match[n])
	for {
		s, l, m := &sequences[n], f.codes.literals[n], f.codes.match[n]
		w.add(uint64(s.literals), uint(literalBits[l]))
		w.add(uint64(s.match), uint(matchBits[m]))
		w.add(uint64(s.offBase), uint(f.codes.offset[n]))
		if n--; n < 0 {
			break
		}
		offset.encode(w, f.codes.offset[n])
		match.encode(w, f.codes.match[n])
		literals.encode(w, f.codes.literals[n])
	}
	match.end(w)
	offset.end(w)
	literals.end(w)
	return w.close()
}
