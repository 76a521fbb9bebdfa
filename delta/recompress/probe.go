package recompress

import (
	"bufio"
	"io"

	"github.com/sallyport-dev/sallyport/delta/recompress/tokens"
)

// probed is how many plain bytes are looked at for a sign of blocks: more than the largest has.
const probed = 2*maxBlock + 1

// probe looks at the first blocks of a DEFLATE stream, and notes what sizes blocks that were
// compressed by themselves may have. Such blocks end with an empty one, so that the next begins at a
// byte boundary.
func (h *hint) probe(packed io.Reader, plainSize int64) {
	p := tokens.NewParser(bufio.NewReader(packed))
	var b tokens.Block
	var at int64
	var joints []int64
	h.blocks = []int32{0}
	for at <= probed && !b.Final {
		if p.Next(&b) != nil {
			return
		}
		if b.Size == 0 && !b.Final && (len(joints) == 0 || joints[len(joints)-1] != at) {
			joints = append(joints, at)
		}
		at += int64(b.Size)
	}
	switch {
	case len(joints) == 0:
		if plainSize <= probed {
			h.blocks = append(h.blocks, pigzDefault) // whose joints take no bits at a byte boundary
		}
	case joints[0] == plainSize:
		h.flushed = true
		h.blocks = []int32{int32(max(defaultBlock, min(maxBlock, plainSize+1)))} // a block that is not full: its size does not matter
		if plainSize >= minBlock && plainSize <= maxBlock {
			h.blocks = append(h.blocks, int32(plainSize))
		}
	default:
		h.joined(joints, plainSize)
	}
}

// joined notes what sizes blocks have that are joined there. Some of pigz's joints do not show.
func (h *hint) joined(joints []int64, plainSize int64) {
	size := joints[0]
	for _, j := range joints[1:] {
		if j != plainSize {
			size = gcd(size, j)
		}
	}
	if size < minBlock || size > maxBlock {
		return
	}
	h.blocks = []int32{int32(size)}
	for _, smaller := range []int64{pigzDefault, size / 2} {
		if smaller < size && size%smaller == 0 && smaller >= minBlock {
			h.blocks = append(h.blocks, int32(smaller))
		}
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// defaultBlock is klauspost/pgzip's.
const defaultBlock = 1 << 20
