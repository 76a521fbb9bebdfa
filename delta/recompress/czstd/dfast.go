package czstd

// doubleFast is ZSTD_compressBlock_doubleFast_noDict_generic. It returns where the last literals begin.
func (m *matcher) doubleFast(start, end int, rep *[repcodes]uint32) int {
	b := m.buf[:end]
	long, longShift := m.hash, 64-m.hashLog
	lowest := m.lowestPrefix(end)
	below := lowest // what a candidate must be above
	if m.version >= V157 {
		below--
	}
	limit := end - hashReadSize
	anchor, at := start, start
	if at == lowest {
		at++
	}
	offset1, offset2 := rep[0], rep[1]
	saved := reachable(&offset1, &offset2, at-m.lowestPrefix(at))
	for at < limit {
		next, step, nextStep := at+1, 1, at+1<<searchStrength
		var match, length, current int
		var hash1 uint64
		hash0 := load64(b, at) * prime8 >> (longShift & 63)
		long0 := int(long[hash0])
		again := false
		for {
			v := load64(b, at)
			short := &m.chain[m.hashOf(v)]
			short0 := int(*short)
			current = at
			*short, long[hash0] = uint32(at), uint32(at)
			if offset1 > 0 && load32(b, at+1-int(offset1)) == uint32(v>>8) {
				at++
				length = count(b, at+4, at+4-int(offset1)) + 4
				again = true
				break
			}
			v1 := load64(b, next)
			hash1 = v1 * prime8 >> (longShift & 63)
			if long0 > below && load64(b, long0) == v {
				match = long0
				length = count(b, at+8, match+8) + 8
				break
			}
			long1 := int(long[hash1])
			if short0 > below && load32(b, short0) == uint32(v) {
				match = short0
				length = count(b, at+4, match+4) + 4
				if long1 > lowest && load64(b, long1) == v1 {
					if n := count(b, next+8, long1+8) + 8; m.version < V157 || n > length {
						at, match, length = next, long1, n
					}
				}
				break
			}
			if next >= nextStep {
				step++
				nextStep += 1 << searchStrength
			}
			at = next
			next += step
			hash0, long0 = hash1, long1
			if next > limit {
				saved.restore(m.version, rep, offset1, offset2)
				return anchor
			}
		}
		if again {
			m.store(anchor, at, repcode1, length)
		} else {
			back := extendBack(b, at, match, anchor, lowest)
			offset1, offset2 = uint32(at-match), offset1
			if step < 4 {
				long[hash1] = uint32(next)
			}
			at -= back
			length += back
			m.store(anchor, at, offset1+repcodes, length)
		}
		at += length
		anchor = at
		if at > limit {
			continue
		}
		m.insertAfter(b, current, at)
		for at <= limit && offset2 > 0 && load32(b, at) == load32(b, at-int(offset2)) {
			length := count(b, at+4, at+4-int(offset2)) + 4
			offset1, offset2 = offset2, offset1
			m.insertBoth(b, at)
			m.store(anchor, at, repcode1, length)
			at += length
			anchor = at
		}
	}
	saved.restore(m.version, rep, offset1, offset2)
	return anchor
}

// insertAfter is the complementary insertion after a match that was searched from current and ends at a place.
func (m *matcher) insertAfter(b []byte, current, at int) {
	longShift := 64 - m.hashLog
	v := load64(b, current+2)
	m.hash[v*prime8>>(longShift&63)] = uint32(current + 2)
	m.hash[load64(b, at-2)*prime8>>(longShift&63)] = uint32(at - 2)
	m.chain[m.hashOf(v)] = uint32(current + 2)
	m.chain[m.hashOf(load64(b, at-1))] = uint32(at - 1)
}

func (m *matcher) insertBoth(b []byte, at int) {
	v := load64(b, at)
	m.chain[m.hashOf(v)] = uint32(at)
	m.hash[v*prime8>>((64-m.hashLog)&63)] = uint32(at)
}

// repeater tells whether four bytes are repeated at an offset. Without a dictionary offsets have been looked
// at when the block began.
type repeater struct {
	b             []byte
	prefix, floor int
	plain         bool
}

func (r *repeater) repeats(at int, offset uint32) bool {
	if r.plain {
		return offset > 0 && load32(r.b, at-int(offset)) == load32(r.b, at)
	}
	return repeats(r.b, at, offset, r.prefix, r.floor)
}

// doubleFastDict is ZSTD_compressBlock_doubleFast_extDict_generic, of a stream whose buffer has come round. Up to
// version 1.5.0 it is also ZSTD_compressBlock_doubleFast_generic, without a dictionary.
func (m *matcher) doubleFastDict(start, end, prefix, low int, rep *[repcodes]uint32) int {
	b := m.buf[:end]
	longShift := 64 - m.hashLog
	limit := end - hashReadSize
	anchor, at := start, start
	offset1, offset2 := rep[0], rep[1]
	r := repeater{b, prefix, m.floor(low), prefix == low}
	var saved savedOffsets
	if r.plain {
		if at == low {
			at++
		}
		saved = reachable(&offset1, &offset2, m.reach(at, low))
	}
	for at < limit {
		v := load64(b, at)
		short, long := &m.chain[m.hashOf(v)], &m.hash[v*prime8>>(longShift&63)]
		match, matchLong := int(*short), int(*long)
		current := at
		var length int
		*short, *long = uint32(at), uint32(at)
		switch {
		case r.repeats(at+1, offset1):
			at++
			length = count(b, at+4, at+4-int(offset1)) + 4
			m.store(anchor, at, repcode1, length)
		case matchLong > low && load64(b, matchLong) == v:
			offset1, offset2 = uint32(at-matchLong), offset1
			at, length = m.storeDict(b, anchor, at, matchLong, count(b, at+8, matchLong+8)+8, prefix, low)
		case match > low && load32(b, match) == uint32(v):
			v1 := load64(b, at+1)
			long1 := &m.hash[v1*prime8>>(longShift&63)]
			match1 := int(*long1)
			*long1 = uint32(at + 1)
			if match1 > low && load64(b, match1) == v1 {
				at++
				match = match1
			}
			length = count(b, at+4, match+4) + 4
			offset1, offset2 = uint32(at-match), offset1
			at, length = m.storeDict(b, anchor, at, match, length, prefix, low)
		default:
			at += (at-anchor)>>searchStrength + 1
			continue
		}
		at += length
		anchor = at
		if at > limit {
			continue
		}
		m.insertAfter(b, current, at)
		for at <= limit && r.repeats(at, offset2) {
			length := count(b, at+4, at+4-int(offset2)) + 4
			offset1, offset2 = offset2, offset1
			m.store(anchor, at, repcode1, length)
			m.insertBoth(b, at)
			at += length
			anchor = at
		}
	}
	saved.restore(m.version, rep, offset1, offset2)
	return anchor
}

// repeats tells whether four bytes are repeated at an offset, and lie in the dictionary or the prefix.
func repeats(b []byte, at int, offset uint32, prefix, low int) bool {
	from := at - int(offset)
	return uint32(prefix-1)-uint32(from) >= 3 && int(offset) <= at-low && load32(b, from) == load32(b, at)
}

// storeDict extends a match backwards, as far as the segment goes that it begins in, and stores it. It
// returns where it begins and its length.
func (m *matcher) storeDict(b []byte, anchor, at, match, length, prefix, low int) (int, int) {
	lowest := prefix
	if match < prefix {
		lowest = low
	}
	back := extendBack(b, at, match, anchor, lowest)
	m.store(anchor, at-back, uint32(at-match)+repcodes, length+back)
	return at - back, length + back
}
