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
