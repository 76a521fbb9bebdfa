package delta

// neighbours are contents of olds, next to each other in memory, that a new content may be made from.
type neighbours struct {
	bytes []byte
	parts []neighbour
}

// neighbour is one of them.
type neighbour struct {
	start   int // in the bytes
	address int64
	whole   bool // all of an old file
}

func (n *neighbours) add(content []byte, address int64, whole bool) {
	n.parts = append(n.parts, neighbour{len(n.bytes), address, whole})
	if len(n.bytes) == 0 {
		n.bytes = content
		return
	}
	n.bytes = append(n.bytes[:len(n.bytes):len(n.bytes)], content...)
}

// content returns the bytes of neighbour i.
func (n *neighbours) content(i int) []byte { return n.bytes[n.parts[i].start:n.end(i)] }

func (n *neighbours) end(i int) int {
	if i+1 < len(n.parts) {
		return n.parts[i+1].start
	}
	return len(n.bytes)
}

// pieces makes segments of the bytes pieces; those that lie in several neighbours are cut.
func (n *neighbours) pieces(segments []segment, kind opKind) []piece {
	var list []piece
	for _, s := range segments {
		if s.from < 0 {
			list = append(list, piece{length: int64(s.length), from: literal, literal: kind})
			continue
		}
		for s.length > 0 {
			i := n.at(s.from)
			length := min(s.length, n.end(i)-s.from)
			list = append(list, piece{length: int64(length), from: n.parts[i].address + int64(s.from-n.parts[i].start), literal: kind})
			s.from, s.length = s.from+length, s.length-length
		}
	}
	return list
}

// at returns which neighbour an offset lies in.
func (n *neighbours) at(offset int) int {
	i := len(n.parts) - 1
	for n.parts[i].start > offset {
		i--
	}
	return i
}

// How much of a content a block has to share with it.
const (
	leastShared  = 96      // bytes
	enoughShared = 2 << 10 // bytes, whatever part they are
	partShared   = 32      // one of so many bytes
	partBeside   = 8       // the same, where there is an old file of the same path
)

// neighbours loads what a content, or a window of one that begins at an offset, is made from: the
// match, and blocks of others that share bytes with it.
func (w *worker) neighbours(now []byte, at int64, match int, whole bool) (*neighbours, error) {
	then := &neighbours{}
	size := int64(0)
	if match >= 0 {
		size = w.c.members[match].size()
	}
	if size > 0 && size <= loadLimit {
		if err := w.load(then, match, 0, size); err != nil {
			return nil, err
		}
		if isELF(now) || w.effort == EffortFast {
			return then, nil
		}
	}
	if len(now) >= leastSimilar {
		if err := w.loadSimilar(then, now, match, whole); err != nil {
			return nil, err
		}
	}
	if len(then.parts) == 0 && size > 0 { // the stretch at the same place
		return then, w.load(then, match, min(at, size-loadLimit), loadLimit)
	}
	return then, nil
}

// loadSimilar adds blocks that share bytes with a content beyond those that then holds.
func (w *worker) loadSimilar(then *neighbours, now []byte, match int, whole bool) error {
	s, err := w.c.similar()
	if err != nil {
		return err
	}
	n, part := s.sharedWith(now), partShared
	if len(then.parts) > 0 {
		n.cover(func(b int32) bool { return s.blocks[b].member == match })
		part = partBeside
	}
	room := similarRoom(int64(len(now))) - int64(len(then.bytes))
	if whole && isELF(now) {
		if best, bytes := n.best(); bytes >= leastShared {
			member := s.blocks[best].member
			return w.load(then, member, 0, min(w.c.members[member].size(), loadLimit))
		}
		return nil
	}
	blocks := n.blocks(max(leastShared, int64(min(len(now)/part, enoughShared))), room)
	for i := 0; i < len(blocks); {
		b := blocks[i]
		for i++; i < len(blocks) && blocks[i].member == b.member && blocks[i].offset == b.offset+b.size; i++ {
			b.size += blocks[i].size
		}
		if err := w.load(then, b.member, b.offset, b.size); err != nil {
			return err
		}
	}
	return nil
}

// similarRoom returns how many bytes of blocks are loaded for a content of a size.
func similarRoom(size int64) int64 { return min(loadLimit, 4*size+4*blockSize) }

// load adds a stretch of an old member.
func (w *worker) load(then *neighbours, match int, at, size int64) error {
	old := w.c.members[match]
	content := make([]byte, size)
	address := w.c.address(old, old.content+at)
	if err := w.src.read(content, address); err != nil {
		return err
	}
	then.add(content, address, size == old.size())
	return nil
}

func isELF(b []byte) bool { return len(b) > 4 && string(b[:4]) == "\x7fELF" }
