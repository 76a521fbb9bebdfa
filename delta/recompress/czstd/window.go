package czstd

// startIndex is ZSTD_WINDOW_START_INDEX: places below it are never matched, so that 0 in a table is none.
const startIndex = 2

// window is ZSTD_window_t. Places are indices into the history's buffer. In the C library a stream goes
// round in a buffer, and what was written before it came round is a dictionary outside the prefix, in
// which other rules hold: base and dictBase say where in that buffer index 0 would be.
type window struct {
	low       int // the lowest place that may be matched
	dictLimit int // where the prefix begins
	next      int // the end of what has been taken
	base      int
	dictBase  int
}

// extend is ZSTD_window_update: n bytes come, at a place of the C library's buffer.
func (w *window) extend(place, n int) {
	if place != w.base+w.next {
		w.low = w.dictLimit
		w.dictLimit = w.next
		w.dictBase = w.base
		w.base = place - w.next
		if w.dictLimit-w.low < hashReadSize {
			w.low = w.dictLimit
		}
	}
	w.next += n
	if place+n > w.dictBase+w.low && place < w.dictBase+w.dictLimit {
		w.low = min(place+n-w.dictBase, w.dictLimit)
	}
}

// enforce is ZSTD_window_enforceMaxDist, before a block that begins at a place.
func (w *window) enforce(at, most int) {
	w.low = max(w.low, at-most)
	w.dictLimit = max(w.dictLimit, w.low)
}

// clear is ZSTD_window_clear: the window begins anew at a place of the history.
func (w *window) clear(at int) {
	*w = window{low: at, dictLimit: at, next: at, base: -at, dictBase: -at}
}

// shift moves all places down by n.
func (w *window) shift(n int) {
	w.low = max(w.low-n, startIndex)
	w.dictLimit = max(w.dictLimit-n, startIndex)
	w.next -= n
	w.base += n
	w.dictBase += n
}

// lowestPrefix is ZSTD_getLowestPrefixIndex: the lowest place of the prefix that a match at a place may have.
func (m *matcher) lowestPrefix(at int) int { return max(m.window.dictLimit, at-m.maxDist) }
