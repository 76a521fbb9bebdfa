package czstd

import (
	"errors"
	"math/bits"
)

// Limits of FSE's tables.
const (
	minTableLog = 5
	maxTableLog = 12
	maxSymbols  = 53 // of match lengths, the most there are
)

// errDistribution says that a distribution cannot be described: libzstd's error GENERIC, after which it does
// without.
var errDistribution = errors.New("czstd: distribution")

func highBit(v uint32) int { return bits.Len32(v) - 1 }

// optimalTableLog is FSE_optimalTableLog_internal. Of the smallest sizes the limit wraps round there, and is none.
func optimalTableLog(most int, size, maxSymbol, minus int) int {
	least := min(highBit(uint32(size))+1, highBit(uint32(maxSymbol))+2)
	if limit := highBit(uint32(size-1)) - minus; limit >= 0 {
		most = min(most, limit)
	}
	return min(max(most, least, minTableLog), maxTableLog)
}

// restToBeat is FSE_normalizeCount's rtbTable.
var restToBeat = [8]uint64{0, 473195, 504333, 520860, 550000, 700000, 750000, 830000}

// normalize is FSE_normalizeCount: counts, of which there are total, become shares of 1<<log. Rare symbols get
// low: 1, or -1 for less than that.
func normalize(norm []int16, log int, counts []uint32, total int, low int16) error {
	if log < min(highBit(uint32(total))+1, highBit(uint32(len(counts)-1))+2) {
		return errDistribution
	}
	scale := uint(62 - log)
	step := (uint64(1) << 62) / uint64(uint32(total))
	vStep := uint64(1) << (scale - 20)
	left, largest, largestShare := 1<<log, 0, int16(0)
	threshold := uint32(total >> log)
	for s, c := range counts {
		switch {
		case c == 0:
			norm[s] = 0
		case c <= threshold:
			norm[s] = low
			left--
		default:
			share := int16(uint64(c) * step >> scale)
			if share < 8 && uint64(c)*step-uint64(share)<<scale > vStep*restToBeat[share] {
				share++
			}
			if share > largestShare {
				largestShare, largest = share, s
			}
			norm[s] = share
			left -= int(share)
		}
	}
	if -left >= int(norm[largest]>>1) {
		return normalizeRest(norm, log, counts, total, low)
	}
	norm[largest] += int16(left)
	return nil
}

// normalizeRest is FSE_normalizeM2, for distributions that the first method fails.
func normalizeRest(norm []int16, log int, counts []uint32, total int, low int16) error {
	const open = -2
	threshold, one := uint32(total>>log), uint32(total*3>>(log+1))
	distributed := 0
	for s, c := range counts {
		switch {
		case c == 0:
			norm[s] = 0
			continue
		case c <= threshold:
			norm[s] = low
		case c <= one:
			norm[s] = 1
		default:
			norm[s] = open
			continue
		}
		distributed++
		total -= int(c)
	}
	left := 1<<log - distributed
	if left == 0 {
		return nil
	}
	if uint32(total/left) > one {
		one = uint32(total * 3 / (left * 2))
		for s, c := range counts {
			if norm[s] == open && c <= one {
				norm[s] = 1
				distributed++
				total -= int(c)
			}
		}
		left = 1<<log - distributed
	}
	switch {
	case distributed == len(counts):
		norm[mostFrequent(counts)] += int16(left)
		return nil
	case total == 0:
		for s := 0; left > 0; s = (s + 1) % len(counts) {
			if norm[s] > 0 {
				left--
				norm[s]++
			}
		}
		return nil
	}
	return share(norm, log, counts, total, left)
}

func mostFrequent(counts []uint32) int {
	at := 0
	for s, c := range counts {
		if c > counts[at] {
			at = s
		}
	}
	return at
}

// share gives what is left to the symbols that have nothing yet, in proportion.
func share(norm []int16, log int, counts []uint32, total, left int) error {
	step := uint(62 - log)
	middle := uint64(1)<<(step-1) - 1
	each := ((uint64(1)<<step)*uint64(left) + middle) / uint64(uint32(total))
	at := middle
	for s, c := range counts {
		if norm[s] != -2 {
			continue
		}
		end := at + uint64(c)*each
		weight := uint32(end>>step) - uint32(at>>step)
		if weight < 1 {
			return errDistribution
		}
		norm[s] = int16(weight)
		at = end
	}
	return nil
}

// appendDistribution is FSE_writeNCount.
func appendDistribution(out []byte, norm []int16, log int) ([]byte, error) {
	stream, count := uint64(log-minTableLog), 4
	flush := func() {
		for ; count > 16; count -= 16 {
			out = append(out, byte(stream), byte(stream>>8))
			stream >>= 16
		}
	}
	remaining, threshold, width := 1<<log+1, 1<<log, log+1
	previous0 := false
	for s := 0; s < len(norm) && remaining > 1; {
		if previous0 {
			start := s
			for s < len(norm) && norm[s] == 0 {
				s++
			}
			if s == len(norm) {
				break
			}
			for ; s >= start+3; start += 3 {
				stream |= 3 << count
				count += 2
				flush()
			}
			stream |= uint64(s-start) << count
			count += 2
			flush()
		}
		v := int(norm[s])
		s++
		most := 2*threshold - 1 - remaining
		remaining -= max(v, -v)
		v++
		if v >= threshold {
			v += most
		}
		stream |= uint64(v) << count
		count += width
		if v < most {
			count--
		}
		previous0 = v == 1
		if remaining < 1 {
			return out, errDistribution
		}
		for remaining < threshold {
			width--
			threshold >>= 1
		}
		flush()
	}
	if remaining != 1 {
		return out, errDistribution
	}
	for ; count > 0; count -= 8 {
		out = append(out, byte(stream))
		stream >>= 8
	}
	return out, nil
}

// transform is FSE_symbolCompressionTransform.
type transform struct {
	bits  uint32 // deltaNbBits
	state int32  // deltaFindState
}

// encodingTable is FSE_CTable.
type encodingTable struct {
	log     int
	next    [1 << 9]uint16
	symbols [maxSymbols]transform
	spread  [1 << 9]uint8
}

// build is FSE_buildCTable_wksp.
func (t *encodingTable) build(norm []int16, log int) {
	t.log = log
	size := 1 << log
	high := size - 1
	var cumulative [maxSymbols + 1]int
	for s, n := range norm {
		if n == -1 {
			cumulative[s+1] = cumulative[s] + 1
			t.spread[high] = uint8(s)
			high--
		} else {
			cumulative[s+1] = cumulative[s] + int(n)
		}
	}
	step, mask, at := size>>1+size>>3+3, size-1, 0
	for s, n := range norm {
		for range n {
			t.spread[at] = uint8(s)
			for at = (at + step) & mask; at > high; {
				at = (at + step) & mask
			}
		}
	}
	for u, s := range t.spread[:size] {
		t.next[cumulative[s]] = uint16(size + u)
		cumulative[s]++
	}
	t.transforms(norm)
}

// transforms fills in how each symbol changes the state.
func (t *encodingTable) transforms(norm []int16) {
	size, total := uint32(1)<<t.log, int32(0)
	clear(t.symbols[:])
	for s, n := range norm {
		switch n {
		case 0:
			t.symbols[s].bits = uint32(t.log+1)<<16 - size
		case -1, 1:
			t.symbols[s] = transform{uint32(t.log)<<16 - size, total - 1}
			total++
		default:
			most := uint32(t.log - highBit(uint32(n)-1))
			t.symbols[s] = transform{most<<16 - uint32(n)<<most, total - int32(n)}
			total += int32(n)
		}
	}
}

// one is FSE_buildCTable_rle: all symbols are the same, and take no bits.
func (t *encodingTable) one() {
	t.log, t.next[0] = 0, 0
	clear(t.symbols[:])
}

// encoder is FSE_CState_t.
type encoder struct {
	t     *encodingTable
	value uint32
}

// begin is FSE_initCState2.
func (t *encodingTable) begin(symbol byte) encoder {
	s := t.symbols[symbol]
	n := (s.bits + 1<<15) >> 16
	value := n<<16 - s.bits
	return encoder{t, uint32(t.next[int32(value>>n)+s.state])}
}

// encode is FSE_encodeSymbol.
func (e *encoder) encode(w *bitWriter, symbol byte) {
	s := e.t.symbols[symbol]
	n := (e.value + s.bits) >> 16
	w.add(uint64(e.value), uint(n))
	e.value = uint32(e.t.next[int32(e.value>>n)+s.state])
}

// end is FSE_flushCState.
func (e *encoder) end(w *bitWriter) { w.add(uint64(e.value), uint(e.t.log)) }
