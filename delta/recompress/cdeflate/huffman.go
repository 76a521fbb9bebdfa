package cdeflate

// huffman builds a block's trees. The order in which equal frequencies leave the heap shows in the
// output, so that it is zlib's heap.
type huffman struct {
	literal, dist, bit tree
	heap               [heapSize]int
	heapLen, heapMax   int
	depth              [heapSize]uint8
	optLen, staticLen  uint32 // bits of the block with these trees and with the fixed ones
}

func newHuffman() *huffman {
	return &huffman{
		literal: tree{kind: kind{extraLength[:], literals + 1, litCodes, maxBits, fixed.literal[:]}, nodes: make([]node, heapSize)},
		dist:    tree{kind: kind{extraDist[:], 0, distCodes, maxBits, fixed.dist[:]}, nodes: make([]node, 2*distCodes+1)},
		bit:     tree{kind: kind{extraBits[:], 0, bitCodes, maxBitBits, nil}, nodes: make([]node, 2*bitCodes+1)},
	}
}

// begin starts a block.
func (h *huffman) begin() {
	for _, t := range []*tree{&h.literal, &h.dist, &h.bit} {
		for i := range t.nodes {
			t.nodes[i].freq = 0
		}
	}
	h.literal.nodes[endBlock].freq = 1
	h.optLen, h.staticLen = 0, 0
}

func (h *huffman) smaller(nodes []node, n, m int) bool {
	return nodes[n].freq < nodes[m].freq || nodes[n].freq == nodes[m].freq && h.depth[n] <= h.depth[m]
}

func (h *huffman) sift(nodes []node, k int) {
	v := h.heap[k]
	for j := k << 1; j <= h.heapLen; j <<= 1 {
		if j < h.heapLen && h.smaller(nodes, h.heap[j+1], h.heap[j]) {
			j++
		}
		if h.smaller(nodes, v, h.heap[j]) {
			break
		}
		h.heap[k] = h.heap[j]
		k = j
	}
	h.heap[k] = v
}

// build makes t's codes out of its frequencies.
func (h *huffman) build(t *tree) {
	h.fill(t)
	nodes := t.nodes
	for n := h.heapLen / 2; n >= 1; n-- {
		h.sift(nodes, n)
	}
	next := t.elements
	for {
		n := h.heap[1]
		h.heap[1] = h.heap[h.heapLen]
		h.heapLen--
		h.sift(nodes, 1)
		m := h.heap[1]
		h.heap[h.heapMax-1], h.heap[h.heapMax-2] = n, m
		h.heapMax -= 2
		nodes[next].freq = nodes[n].freq + nodes[m].freq
		h.depth[next] = max(h.depth[n], h.depth[m]) + 1
		nodes[n].dad, nodes[m].dad = uint16(next), uint16(next)
		h.heap[1] = next
		next++
		h.sift(nodes, 1)
		if h.heapLen < 2 {
			break
		}
	}
	h.heapMax--
	h.heap[h.heapMax] = h.heap[1]
	var count [maxBits + 1]uint16
	h.lengths(t, &count)
	assignCodes(nodes[:t.maxCode+1], &count)
}

// fill puts the codes that occur on the heap, two at least.
func (h *huffman) fill(t *tree) {
	h.heapLen, h.heapMax, t.maxCode = 0, heapSize, -1
	for n := range t.elements {
		if t.nodes[n].freq == 0 {
			t.nodes[n].length = 0
			continue
		}
		h.push(n)
		t.maxCode = n
	}
	for h.heapLen < 2 {
		n := 0
		if t.maxCode < 2 {
			t.maxCode++
			n = t.maxCode
		}
		h.push(n)
		t.nodes[n].freq = 1
		h.optLen--
		if t.static != nil {
			h.staticLen -= uint32(t.static[n].length)
		}
	}
}

func (h *huffman) push(n int) {
	h.heapLen++
	h.heap[h.heapLen] = n
	h.depth[n] = 0
}

// lengths gives each code its length, none above the tree's longest.
func (h *huffman) lengths(t *tree, count *[maxBits + 1]uint16) {
	nodes := t.nodes
	nodes[h.heap[h.heapMax]].length = 0
	overflow := 0
	for i := h.heapMax + 1; i < heapSize; i++ {
		n := h.heap[i]
		bits := nodes[nodes[n].dad].length + 1
		if bits > t.maxLength {
			bits = t.maxLength
			overflow++
		}
		nodes[n].length = bits
		if n > t.maxCode {
			continue
		}
		count[bits]++
		extra := uint32(0)
		if n >= t.base {
			extra = uint32(t.extra[n-t.base])
		}
		h.optLen += nodes[n].freq * (uint32(bits) + extra)
		if t.static != nil {
			h.staticLen += nodes[n].freq * (uint32(t.static[n].length) + extra)
		}
	}
	if overflow > 0 {
		h.shorten(t, count, overflow)
	}
}

func (h *huffman) shorten(t *tree, count *[maxBits + 1]uint16, overflow int) {
	for ; overflow > 0; overflow -= 2 {
		bits := t.maxLength - 1
		for count[bits] == 0 {
			bits--
		}
		count[bits]--
		count[bits+1] += 2
		count[t.maxLength]--
	}
	i := heapSize
	for bits := t.maxLength; bits != 0; bits-- {
		for n := count[bits]; n != 0; {
			i--
			m := h.heap[i]
			if m > t.maxCode {
				continue
			}
			if t.nodes[m].length != bits {
				h.optLen += (uint32(bits) - uint32(t.nodes[m].length)) * t.nodes[m].freq
				t.nodes[m].length = bits
			}
			n--
		}
	}
}

// scan walks over t's lengths as they are coded: runs of one length, and of zeros.
func (t *tree) scan(visit func(code int, extra uint32)) {
	previous, count := -1, 0
	next := int(t.nodes[0].length)
	most, least := 7, 4
	if next == 0 {
		most, least = 138, 3
	}
	for n := 0; n <= t.maxCode; n++ {
		current := next
		next = 0xffff
		if n < t.maxCode {
			next = int(t.nodes[n+1].length)
		}
		count++
		if count < most && current == next {
			continue
		}
		switch {
		case count < least:
			for range count {
				visit(current, 0)
			}
		case current != 0:
			if current != previous {
				visit(current, 0)
				count--
			}
			visit(16, uint32(count-3))
		case count <= 10:
			visit(17, uint32(count-3))
		default:
			visit(18, uint32(count-11))
		}
		count, previous = 0, current
		switch {
		case next == 0:
			most, least = 138, 3
		case current == next:
			most, least = 6, 3
		default:
			most, least = 7, 4
		}
	}
}

// finish builds the three trees and returns how many lengths of the third are written.
func (h *huffman) finish() int {
	h.build(&h.literal)
	h.build(&h.dist)
	tally := func(code int, _ uint32) { h.bit.nodes[code].freq++ }
	h.literal.scan(tally)
	h.dist.scan(tally)
	h.build(&h.bit)
	last := bitCodes - 1
	for last >= 3 && h.bit.nodes[bitOrder[last]].length == 0 {
		last--
	}
	h.optLen += 3*uint32(last+1) + 5 + 5 + 4
	return last + 1
}

func (h *huffman) writeTrees(w *bitWriter, bitLengths int) {
	w.put(uint32(h.literal.maxCode+1-257), 5)
	w.put(uint32(h.dist.maxCode), 5)
	w.put(uint32(bitLengths-4), 4)
	for _, code := range bitOrder[:bitLengths] {
		w.put(uint32(h.bit.nodes[code].length), 3)
	}
	write := func(code int, extra uint32) {
		n := h.bit.nodes[code]
		w.put(uint32(n.code), uint(n.length))
		w.put(extra, uint(extraBits[code]))
	}
	h.literal.scan(write)
	h.dist.scan(write)
}
