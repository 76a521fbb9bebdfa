package czstd

import "encoding/binary"

// bitWriter is BIT_CStream_t: bits are appended from the lowest up.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint
}

// add appends the lowest n bits of v, of which there are at most 32.
func (w *bitWriter) add(v uint64, n uint) {
	w.bits |= v & (1<<(n&63) - 1) << (w.n & 63)
	w.n += n
	if w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.bits))
		w.bits >>= 32
		w.n -= 32
	}
}

// close ends the stream with a bit that is set: BIT_closeCStream.
func (w *bitWriter) close() []byte {
	w.add(1, 1)
	for n := 0; n < int(w.n); n += 8 {
		w.out = append(w.out, byte(w.bits>>n))
	}
	return w.out
}
