package czstd

// floor is the lowest place that a repeated offset may lead to: up to version 1.5.0 not the lowest of all.
func (m *matcher) floor(low int) int {
	if m.version < V152 {
		return low + 1
	}
	return low
}

// reach is how far offsets reach at a block's beginning: up to version 1.4.5 not below the prefix as its end sees it.
func (m *matcher) reach(at, prefix int) int {
	if m.version < V148 {
		return at - prefix
	}
	return at - m.lowestPrefix(at)
}

// fastOlder is ZSTD_compressBlock_fast_generic, up to version 1.5.0.
func (m *matcher) fastOlder(start, end int, rep *[repcodes]uint32) int {
	b := m.buf[:end]
	prefix := m.lowestPrefix(end)
	limit := end - hashReadSize
	anchor, at := start, start
	if at == prefix {
		at++
	}
	offset1, offset2 := rep[0], rep[1]
	saved := reachable(&offset1, &offset2, m.reach(at, prefix))
	for at+1 < limit {
		v0, v1 := load64(b, at), load64(b, at+1)
		slot0, slot1 := &m.hash[m.hashOf(v0)], &m.hash[m.hashOf(v1)]
		match0, match1 := int(*slot0), int(*slot1)
		current := at
		*slot0 = uint32(at)
		*slot1 = uint32(at + 1)
		switch {
		case offset1 > 0 && load32(b, at+2) == load32(b, at+2-int(offset1)):
			at, anchor = m.storeRepeat(b, anchor, at+2, int(offset1))
		case match0 > prefix && load32(b, match0) == uint32(v0):
			offset1, offset2 = uint32(at-match0), offset1
			at, anchor = m.storeFast(b, anchor, at, match0, prefix)
		case match1 > prefix && load32(b, match1) == uint32(v1):
			offset1, offset2 = uint32(at+1-match1), offset1
			at, anchor = m.storeFast(b, anchor, at+1, match1, prefix)
		default:
			at += (at-anchor)>>(searchStrength-1) + fastStep
			continue
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

// fastDictOlder is fastDict up to version 1.5.2.
func (m *matcher) fastDictOlder(start, end, prefix, low int, rep *[repcodes]uint32) int {
	b := m.buf[:end]
	floor := m.floor(low)
	limit := end - hashReadSize
	anchor, at := start, start
	offset1, offset2 := rep[0], rep[1]
	for at < limit {
		v := load64(b, at)
		h := m.hashOf(v)
		match, current := int(m.hash[h]), at
		m.hash[h] = uint32(at)
		switch {
		case repeats(b, at+1, offset1, prefix, floor):
			at++
			length := count(b, at+4, at+4-int(offset1)) + 4
			m.store(anchor, at, repcode1, length)
			at += length
		case match >= low && load32(b, match) == uint32(v):
			lowest := prefix
			if match < prefix {
				lowest = low
			}
			offset1, offset2 = uint32(at-match), offset1
			at, _ = m.storeFast(b, anchor, at, match, lowest)
		default:
			at += (at-anchor)>>searchStrength + 1
			continue
		}
		anchor = at
		if at > limit {
			continue
		}
		m.hash[m.hashOf(load64(b, current+2))] = uint32(current + 2)
		m.hash[m.hashOf(load64(b, at-2))] = uint32(at - 2)
		for at <= limit && (m.version < V152 || int(offset2) <= current-low) && repeats(b, at, offset2, prefix, floor) {
			offset1, offset2 = offset2, offset1
			at, anchor = m.storeAgain(b, at, int(offset1))
		}
	}
	rep[0], rep[1] = offset1, offset2
	return anchor
}
