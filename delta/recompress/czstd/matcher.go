package czstd

import (
	"encoding/binary"
	"math/bits"
)

const (
	hashReadSize   = 8 // bytes that must follow what is hashed
	searchStrength = 8 // kSearchStrength
	minMatchStored = 3 // what matches are at least in the format
	repcode1       = 1 // REPCODE1_TO_OFFBASE
	repcodes       = 3
)

// sequence is seqDef, but its lengths have all their bits.
type sequence struct {
	literals uint32
	offBase  uint32 // 1 is the latest offset again, other offsets are 3 more than they are
	match    uint32 // 3 less than it is
}

// matcher is ZSTD_matchState_t and seqStore_t.
type matcher struct {
	params
	version   Version
	buf       []byte // history; its places are indices
	window    window
	maxDist   int
	hash      []uint32
	chain     []uint32 // dfast: a table of short matches
	prime     uint64
	shift     uint // of the bytes before they are hashed
	hashShift uint // of their product
	sequences []sequence
	literals  []byte
}

// The multipliers of ZSTD_hashPtr.
const prime8 = 0xCF1BBCDCB7A56463

var primes = [9]uint64{4: 2654435761, 5: 889523592379, 6: 227718039650203, 7: 58295818150454627, 8: prime8}

func newMatcher(p params, version Version) *matcher {
	m := &matcher{params: p, version: version, maxDist: 1 << p.windowLog}
	m.hash = make([]uint32, 1<<p.hashLog)
	m.prime, m.shift, m.hashShift = primes[p.minMatch], 64-8*p.minMatch, 64-p.hashLog
	if p.strategy == dfast {
		m.chain = make([]uint32, 1<<p.chainLog)
		m.hashShift = 64 - p.chainLog
	}
	return m
}

// find looks for the sequences of the block in [start, end): ZSTD_buildSeqStore. It says false if the block is
// too short.
func (m *matcher) find(start, end int, rep *[repcodes]uint32) bool {
	if end-start < 7 {
		return false
	}
	m.sequences, m.literals = m.sequences[:0], m.literals[:0]
	last := m.search(start, end, rep)
	m.literals = append(m.literals, m.buf[last:end]...)
	return true
}

// search looks for the sequences of a block: ZSTD_selectBlockCompressor. low is the lowest place of a
// dictionary, which ends where the prefix begins; they are the same if there is none within reach. It returns
// where the last literals begin.
func (m *matcher) search(start, end int, rep *[repcodes]uint32) int {
	low := max(m.window.low, end-m.maxDist)
	prefix := max(m.window.dictLimit, low)
	dict := prefix > low
	switch {
	case m.strategy == fast && !dict && m.version < V152:
		return m.fastOlder(start, end, rep)
	case m.strategy == fast && !dict:
		return m.fast(start, end, rep)
	case m.strategy == fast && m.version < V154:
		return m.fastDictOlder(start, end, prefix, low, rep)
	case m.strategy == fast:
		return m.fastDict(start, end, prefix, low, rep)
	case dict || m.version < V152:
		return m.doubleFastDict(start, end, prefix, low, rep)
	}
	return m.doubleFast(start, end, rep)
}

// store is ZSTD_storeSeq.
func (m *matcher) store(anchor, at int, offBase uint32, length int) {
	m.literals = append(m.literals, m.buf[anchor:at]...)
	m.sequences = append(m.sequences, sequence{uint32(at - anchor), offBase, uint32(length - minMatchStored)})
}

// reset empties the tables.
func (m *matcher) reset() {
	clear(m.hash)
	clear(m.chain)
}

// moveDown is ZSTD_reduceIndex: the history's first n bytes go.
func (m *matcher) moveDown(n int) {
	for _, table := range [][]uint32{m.hash, m.chain} {
		for i, v := range table {
			table[i] = v - min(v, uint32(n))
		}
	}
	m.window.shift(n)
}

// load fills the tables with [start, end), the end of the job before: ZSTD_loadDictionaryContent.
func (m *matcher) load(start, end int) {
	const step = 3
	if end-start <= hashReadSize {
		return
	}
	last := end - hashReadSize - step + 1
	if m.strategy == fast {
		for at := start; at <= last; at += step {
			m.hash[m.hashOf(load64(m.buf, at))] = uint32(at)
		}
		return
	}
	for at := start; at <= last; at += step {
		v := load64(m.buf, at)
		m.chain[m.hashOf(v)] = uint32(at)
		m.hash[v*prime8>>(64-m.hashLog)] = uint32(at)
	}
}

// hashOf is ZSTD_hashPtr of as many bytes as the shortest match has.
func (m *matcher) hashOf(v uint64) uint64 { return v << (m.shift & 63) * m.prime >> (m.hashShift & 63) }

func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }
func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }

// count is ZSTD_count: how many bytes at a and b are equal, before b's end.
func count(buf []byte, at, match int) int {
	start := at
	for at+8 <= len(buf) {
		if diff := load64(buf, at) ^ load64(buf, match); diff != 0 {
			return at - start + bits.TrailingZeros64(diff)>>3
		}
		at += 8
		match += 8
	}
	for at < len(buf) && buf[at] == buf[match] {
		at++
		match++
	}
	return at - start
}

// extendBack returns how far a match can begin earlier.
func extendBack(buf []byte, at, match, anchor, lowest int) int {
	n := 0
	for at-n > anchor && match-n > lowest && buf[at-n-1] == buf[match-n-1] {
		n++
	}
	return n
}

// savedOffsets sets offsets aside that the window does not reach at a block's beginning.
type savedOffsets struct{ first, second uint32 }

// restore writes a block's last offsets, and those set aside in the place of missing ones.
func (s savedOffsets) restore(version Version, rep *[repcodes]uint32, offset1, offset2 uint32) {
	switch {
	case version < V154: // one place for both
		if s.first == 0 {
			s.first = s.second
		}
		s.second = s.first
	case s.first != 0 && offset1 != 0:
		s.second = s.first
	}
	if offset1 == 0 {
		offset1 = s.first
	}
	if offset2 == 0 {
		offset2 = s.second
	}
	rep[0], rep[1] = offset1, offset2
}

// reachable drops offsets above most, and returns them.
func reachable(offset1, offset2 *uint32, most int) savedOffsets {
	var s savedOffsets
	if int(*offset2) > most {
		s.second, *offset2 = *offset2, 0
	}
	if int(*offset1) > most {
		s.first, *offset1 = *offset1, 0
	}
	return s
}
