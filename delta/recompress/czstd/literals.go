package czstd

import "encoding/binary"

// Types of literals and of tables: symbolEncodingType_e.
const (
	basic = iota
	rle
	compressed
	repeated
)

// huffmanState is ZSTD_hufCTables_t: a table, and whether it may serve again if all symbols are in it.
type huffmanState struct {
	table huffmanTable
	check bool
}

// minGain is ZSTD_minGain: what a block or its literals must lose to be compressed.
func minGain(size int) int { return size>>6 + 2 }

// Limits of literals.
const (
	minLiterals    = 64   // fewer are not compressed: ZSTD_minLiteralsToCompress
	oneStream      = 256  // fewer have one stream
	preferRepeat   = 1024 // up to so many take the last table if that can be
	sampleSize     = 4096 // SUSPECT_INCOMPRESSIBLE_SAMPLE_SIZE
	suspiciousRate = 20   // literals for each sequence: SUSPECT_UNCOMPRESSIBLE_LITERAL_RATIO
)

// appendLiterals is ZSTD_compressLiterals. suspect says that the block may be incompressible.
func (f *frame) appendLiterals(out, literals []byte, suspect bool) []byte {
	f.next.huffman = f.last.huffman
	if len(literals) < minLiterals {
		return appendPlain(out, literals)
	}
	f.scratch = f.scratch[:0]
	kind, ok := f.packLiterals(literals, suspect)
	packed := f.scratch
	switch {
	case !ok || len(packed) == 0 || len(packed) >= len(literals)-minGain(len(literals)):
		f.next.huffman = f.last.huffman
		return appendPlain(out, literals)
	case len(packed) == 1:
		f.next.huffman = f.last.huffman
		return append(appendSize(out, rle, len(literals)), literals[0])
	}
	if kind == compressed {
		f.next.huffman.check = true
	}
	return append(appendPackedSize(out, kind, len(literals), len(packed)), packed...)
}

// appendSize writes the header of literals that are not compressed.
func appendSize(out []byte, kind byte, size int) []byte {
	switch {
	case size <= 31:
		return append(out, kind+byte(size<<3))
	case size <= 4095:
		return binary.LittleEndian.AppendUint16(out, uint16(kind)+1<<2+uint16(size<<4))
	}
	h := uint32(kind) + 3<<2 + uint32(size<<4)
	return append(out, byte(h), byte(h>>8), byte(h>>16))
}

// appendPlain is ZSTD_noCompressLiterals.
func appendPlain(out, literals []byte) []byte {
	return append(appendSize(out, basic, len(literals)), literals...)
}

// appendPackedSize writes the header of compressed literals.
func appendPackedSize(out []byte, kind byte, size, packed int) []byte {
	var h uint64
	n := 3
	switch {
	case size < oneStream:
		h = uint64(kind) + uint64(size)<<4 + uint64(packed)<<14
	case size < 1<<10:
		h = uint64(kind) + 1<<2 + uint64(size)<<4 + uint64(packed)<<14
	case size < 16<<10:
		h, n = uint64(kind)+2<<2+uint64(size)<<4+uint64(packed)<<18, 4
	default:
		h, n = uint64(kind)+3<<2+uint64(size)<<4+uint64(packed)<<22, 5
	}
	for ; n > 0; n-- {
		out = append(out, byte(h))
		h >>= 8
	}
	return out
}

// packLiterals is HUF_compress_internal: it packs literals into f.scratch with a new table or the last one.
// Nothing, or false, says that they are better left alone; one byte that all are the same.
func (f *frame) packLiterals(literals []byte, suspect bool) (kind byte, ok bool) {
	if suspect && len(literals) >= 10*sampleSize {
		largest := f.histogram(literals[:sampleSize])
		largest += f.histogram(literals[len(literals)-sampleSize:])
		if largest <= 2*sampleSize>>7+4 {
			return 0, false
		}
	}
	largest := f.histogram(literals)
	if largest == len(literals) {
		f.scratch = append(f.scratch, literals[0])
		return compressed, true
	}
	if largest <= len(literals)>>7+4 {
		return 0, false
	}
	counts := f.counts[:f.symbols]
	reusable := f.last.huffman.check && f.last.huffman.table.holds(counts)
	if reusable && len(literals) <= preferRepeat {
		return repeated, f.streams(literals, &f.last.huffman.table)
	}
	t := &f.table
	f.huffman.build(t, counts, optimalTableLog(maxCode, len(literals), f.symbols-1, 1), f.matcher.version)
	header, err := t.append(f.scratch, f.symbols, f.matcher.version)
	if err != nil {
		return 0, false
	}
	if reusable && (f.last.huffman.table.size(counts) <= len(header)+t.size(counts) || len(header)+12 >= len(literals)) {
		return repeated, f.streams(literals, &f.last.huffman.table)
	}
	if len(header)+12 >= len(literals) {
		return 0, false
	}
	f.scratch = header
	f.next.huffman.table = *t
	return compressed, f.streams(literals, t)
}

// histogram counts bytes in f.counts, notes how many symbols these go up to, and returns the most frequent
// one's count: HIST_count_wksp.
func (f *frame) histogram(p []byte) int {
	var other [3][256]uint32
	clear(f.counts[:])
	n := len(p) &^ 3
	for i := 0; i < n; i += 4 {
		f.counts[p[i]]++
		other[0][p[i+1]]++
		other[1][p[i+2]]++
		other[2][p[i+3]]++
	}
	for _, c := range p[n:] {
		f.counts[c]++
	}
	largest := uint32(0)
	for s := range f.counts {
		f.counts[s] += other[0][s] + other[1][s] + other[2][s]
		if f.counts[s] > 0 {
			f.symbols = s + 1
			largest = max(largest, f.counts[s])
		}
	}
	return int(largest)
}

// streams is HUF_compressCTable_internal: one stream, or four and where the first three end. It says false if
// nothing is gained.
func (f *frame) streams(literals []byte, t *huffmanTable) bool {
	if len(literals) < oneStream {
		f.scratch = t.stream(f.scratch, literals)
		return len(f.scratch) < len(literals)-1
	}
	jump := len(f.scratch)
	f.scratch = append(f.scratch, 0, 0, 0, 0, 0, 0)
	segment := (len(literals) + 3) / 4
	for i := range 4 {
		start := len(f.scratch)
		f.scratch = t.stream(f.scratch, literals[i*segment:min((i+1)*segment, len(literals))])
		n := len(f.scratch) - start
		if n > 0xffff {
			return false
		}
		if i < 3 {
			binary.LittleEndian.PutUint16(f.scratch[jump+2*i:], uint16(n))
		}
	}
	return len(f.scratch) < len(literals)-1
}

// stream is HUF_compress1X_usingCTable.
func (t *huffmanTable) stream(out, literals []byte) []byte {
	var bits uint64
	var n uint
	i := len(literals) - 1
	for ; i >= 1; i -= 2 { // two codes have at most 24 bits
		c, d := t.codes[literals[i]], t.codes[literals[i-1]]
		bits |= uint64(c.value) << (n & 63)
		n += uint(c.bits)
		bits |= uint64(d.value) << (n & 63)
		n += uint(d.bits)
		if n >= 32 {
			out = binary.LittleEndian.AppendUint32(out, uint32(bits))
			bits >>= 32
			n -= 32
		}
	}
	w := bitWriter{out: out, bits: bits, n: n}
	if i == 0 {
		c := t.codes[literals[0]]
		w.add(uint64(c.value), uint(c.bits))
	}
	return w.close()
}
