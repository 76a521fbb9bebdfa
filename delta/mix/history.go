package mix

// history keeps the last bytes and where sequences of them stood.
type history struct {
	bytes []byte // a ring
	index []uint32
	at    uint32 // bytes so far, and 1
}

// pastKey is how many bytes are looked up in a history.
const pastKey = 6

// maxHistory bounds the bytes that are kept.
const maxHistory = 2 << 20

func newHistory(size int64) *history {
	n := 1 << 12
	for int64(n) < size && n < maxHistory {
		n *= 2
	}
	return &history{bytes: make([]byte, n), index: make([]uint32, n/4), at: 1}
}

// add appends a byte and returns what stood behind such bytes before, if anything; last are the last
// eight bytes with it.
func (h *history) add(c byte, last uint64) (before uint32) {
	h.bytes[int(h.at)&(len(h.bytes)-1)] = c
	h.at++
	slot := &h.index[int((last<<(64-8*pastKey))*0x9e3779b97f4a7c15>>32)&(len(h.index)-1)]
	before, *slot = *slot, h.at
	return before
}

// get returns the byte at a place, which is among those that are kept.
func (h *history) get(at uint32) byte { return h.bytes[int(at)&(len(h.bytes)-1)] }

// repeat fills b with the bytes from a place on, again and again if the history ends before b does.
func (h *history) repeat(b []byte, at uint32) {
	period := h.at - at
	for i := range b {
		b[i] = h.get(at + uint32(i)%period)
	}
}

// holds tells whether a place is kept and has a byte.
func (h *history) holds(at uint32) bool { return at > 0 && at < h.at && int(h.at-at) < len(h.bytes) }

// longest bounds how far back matches are compared.
const longest = 32

// match returns how many bytes before a place are the same as the last ones.
func (h *history) match(at uint32) int {
	n := uint32(0)
	for n < longest && h.holds(at-n-1) && h.get(at-n-1) == h.get(h.at-n-1) {
		n++
	}
	return int(n)
}

// agree returns how many of the last bytes b ends with.
func (h *history) agree(b []byte) int {
	n := 0
	for n < min(longest, len(b), int(h.at)-1) && b[len(b)-1-n] == h.get(h.at-uint32(n)-1) {
		n++
	}
	return n
}
