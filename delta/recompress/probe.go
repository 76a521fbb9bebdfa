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
	case joints[0] == plainSize:
		h.flushed = true
		h.blocks = []int32{int32(max(defaultBlock, min(maxBlock, plainSize+1)))} // a block that is not full: its size does not matter
		if plainSize >= minBlock && plainSize <= maxBlock {
			h.blocks = append(h.blocks, int32(plainSize))
		}
	case joints[0] >= minBlock && joints[0] <= maxBlock && (len(joints) == 1 || joints[1] == min(2*joints[0], plainSize)):
		h.blocks = []int32{int32(joints[0])}
	}
}

// defaultBlock is klauspost/pgzip's.
const defaultBlock = 1 << 20
