package czstd

// fastStep is by how much pairs of places move on at first: stepSize without acceleration.
const fastStep = 2

// pair are the places at which fast searches next, and what it knows of them.
type pair struct {
	at0, at1, at2, at3 int
	hash0, hash1       uint64
	candidate          int
	step, nextStep     int
}

// begin sets up the search at a place. It says false if the block ends before the search may begin.
func (m *matcher) begin(p *pair, at, limit int) bool {
	*p = pair{at0: at, at1: at + 1, at2: at + fastStep, at3: at + fastStep + 1, step: fastStep, nextStep: at + 1<<(searchStrength-1)}
	if p.at3 >= limit {
		return false
	}
	p.hash0, p.hash1 = m.hashOf(load64(m.buf, p.at0)), m.hashOf(load64(m.buf, p.at1))
	p.candidate = int(m.hash[p.hash0])
	return true
}

// turn goes on to the second place of a pair.
func (m *matcher) turn(p *pair) {
	p.candidate = int(m.hash[p.hash1])
	p.hash0, p.hash1 = p.hash1, m.hashOf(load64(m.buf, p.at2))
	p.at0, p.at1 = p.at1, p.at2
}

// advance goes on to the next pair.
func (p *pair) advance() {
	p.at2, p.at3 = p.at0+p.step, p.at1+p.step
	if p.at2 >= p.nextStep {
		p.step++
		p.nextStep += 1 << (searchStrength - 1)
	}
}

// fast is ZSTD_compressBlock_fast_noDict_generic. It returns where the last literals begin.
func (m *matcher) fast(start, end int, rep *[repcodes]uint32) int {
	b := m.buf[:end]
	prefix := m.lowestPrefix(end)
	limit := end - hashReadSize
	anchor, at := start, start
	if at == prefix {
		at++
	}
	offset1, offset2 := rep[0], rep[1]
	saved := reachable(&offset1, &offset2, at-m.lowestPrefix(at))
	var p pair
	for m.begin(&p, at, limit) {
		var match, current int
		again, farther := false, false
		for {
			repeated := offset1 > 0 && load32(b, p.at2) == load32(b, p.at2-int(offset1))
			current = p.at0
			m.hash[p.hash0] = uint32(current)
			if repeated {
				at, again = p.at2, true
				break
			}
			if p.candidate >= prefix && load32(b, p.candidate) == load32(b, p.at0) {
				at, match = p.at0, p.candidate
				break
			}
			m.turn(&p)
			p.at2 = p.at3
			current = p.at0
			m.hash[p.hash0] = uint32(current)
			if p.candidate >= prefix && load32(b, p.candidate) == load32(b, p.at0) {
				at, match = p.at0, p.candidate
				farther = p.step > 4
				break
			}
			m.turn(&p)
			p.advance()
			if p.at3 >= limit {
				saved.restore(m.version, rep, offset1, offset2)
				return anchor
			}
		}
		if m.version > V152 && !farther {
			m.hash[p.hash1] = uint32(p.at1)
		}
		if again {
			at, anchor = m.storeRepeat(b, anchor, at, int(offset1))
		} else {
			offset1, offset2 = uint32(at-match), offset1
			at, anchor = m.storeFast(b, anchor, at, match, prefix)
		}
		if m.version == V152 && p.at1 < at {
			m.hash[p.hash1] = uint32(p.at1)
		}
		if at > limit {
			continue
		}
		m.hash[m.hashOf(load64(b, current+2))] = uint32(current + 2)
		m.hash[m.hashOf(load64(b, at-2))] = uint32(at - 2)
		for offset2 > 0 && at <= limit && load32(b, at) == load32(b, at-int(offset2)) {
			offset1, offset2 = offset2, offset1
			at, anchor = m.storeAgain(b, at, int(offset1))
		}
	}
	saved.restore(m.version, rep, offset1, offset2)
	return anchor
}

// storeRepeat stores a match at the latest offset, which may begin a byte earlier. Like the others it returns
// where the match ends, twice: the next place and the next anchor.
func (m *matcher) storeRepeat(b []byte, anchor, at, offset int) (int, int) {
	length := 4
	if b[at-1] == b[at-1-offset] {
		at--
		length++
	}
	length += count(b, at+length, at+length-offset)
	m.store(anchor, at, repcode1, length)
	return at + length, at + length
}

// storeFast stores a match of four bytes or more, extended in both directions.
func (m *matcher) storeFast(b []byte, anchor, at, match, lowest int) (int, int) {
	length := 4 + count(b, at+4, match+4)
	back := extendBack(b, at, match, anchor, lowest)
	m.store(anchor, at-back, uint32(at-match)+repcodes, length+back)
	return at + length, at + length
}

// storeAgain stores a match at an offset that follows the one before.
func (m *matcher) storeAgain(b []byte, at, offset int) (int, int) {
	length := count(b, at+4, at+4-offset) + 4
	m.hash[m.hashOf(load64(b, at))] = uint32(at)
	m.store(at, at, repcode1, length)
	return at + length, at + length
}

// fastDict is ZSTD_compressBlock_fast_extDict_generic, of a stream whose buffer has come round.
func (m *matcher) fastDict(start, end, prefix, low int, rep *[repcodes]uint32) int {
	b := m.buf[:end]
	limit := end - hashReadSize
	anchor, at := start, start
	offset1, offset2 := rep[0], rep[1]
	saved := reachable(&offset1, &offset2, start-low-1)
	var p pair
	for m.begin(&p, at, limit) {
		var match, current int
		again := false
		for {
			from := p.at2 - int(offset1)
			repeated := uint32(prefix-from) >= 4 && offset1 > 0 && load32(b, from) == load32(b, p.at2)
			current = p.at0
			m.hash[p.hash0] = uint32(current)
			if repeated {
				at, again = p.at2, true
				break
			}
			if p.candidate >= low && load32(b, p.candidate) == load32(b, p.at0) {
				at, match = p.at0, p.candidate
				break
			}
			m.turn(&p)
			p.at2 = p.at3
			current = p.at0
			m.hash[p.hash0] = uint32(current)
			if p.candidate >= low && load32(b, p.candidate) == load32(b, p.at0) {
				at, match = p.at0, p.candidate
				break
			}
			m.turn(&p)
			p.advance()
			if p.at3 >= limit {
				saved.restore(m.version, rep, offset1, offset2)
				return anchor
			}
		}
		if again {
			at, anchor = m.storeRepeat(b, anchor, at, int(offset1))
		} else {
			lowest := prefix
			if match < prefix {
				lowest = low
			}
			offset1, offset2 = uint32(at-match), offset1
			at, anchor = m.storeFast(b, anchor, at, match, lowest)
		}
		if p.at1 < at {
			m.hash[p.hash1] = uint32(p.at1)
		}
		if at > limit {
			continue
		}
		m.hash[m.hashOf(load64(b, current+2))] = uint32(current + 2)
		m.hash[m.hashOf(load64(b, at-2))] = uint32(at - 2)
		for offset2 > 0 && at <= limit && repeats(b, at, offset2, prefix, low) {
			offset1, offset2 = offset2, offset1
			at, anchor = m.storeAgain(b, at, int(offset1))
		}
	}
	saved.restore(m.version, rep, offset1, offset2)
	return anchor
}
