package delta

import (
	"encoding/binary"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// unchanged tells the packer of long runs in a part of a program at an address, to be written next, that are the old bytes.
func (r *restorer) unchanged(t *program.Part, address int64) error {
	if r.packer == nil {
		return nil
	}
	address += t.Old
	old, _, err := r.src.locate(address, int64(len(t.Bytes)))
	if err != nil || r.src.olds[old].Tokens == nil {
		return err
	}
	for at := 0; at < len(t.Bytes); at++ { // over the byte that ends a run
		n := equal(t.Bytes[at:], t.Raw[at:])
		if n >= unchangedRun {
			if err := r.same(int64(at), address+int64(at), int64(n)); err != nil {
				return err
			}
		}
		at += n
	}
	return nil
}

// unchangedRun is from how many bytes on a run is told of. What a piece's end cuts off is told of in parts.
const unchangedRun = 1 << 10

// equal returns how many bytes a and b, of one length, have in common before they differ.
func equal(a, b []byte) int {
	n := 0
	for ; n+8 <= len(a) && n+8 <= len(b); n += 8 {
		if binary.LittleEndian.Uint64(a[n:]) != binary.LittleEndian.Uint64(b[n:]) {
			break
		}
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
