package czstd

import "math/bits"

// Limits of Huffman codes in literals.
const (
	maxCode     = 11 // bits: LitHufLog
	longestCode = 12 // HUF_TABLELOG_MAX
)

// node is nodeElt: a symbol, or a node above others.
type node struct {
	count  uint32
	parent uint16
	symbol byte
	bits   byte
}

// code is a symbol's code; the highest of its bits goes first into a stream that is read from its end.
type code struct {
	value uint16
	bits  uint8
}

// huffmanTable is HUF_CElt[]: a symbol whose code has no bits is not in it.
type huffmanTable struct {
	codes [256]code
	log   int
}

// firstNode is where the nodes above symbols begin: STARTNODE.
const firstNode = 256

// huffmanBuilder is HUF_buildCTable_wksp_tables.
type huffmanBuilder struct{ all [2 * 256]node }

// build is HUF_buildCTable_wksp: codes of at most log bits.
func (h *huffmanBuilder) build(t *huffmanTable, counts []uint32, log int, version Version) {
	h.all = [2 * 256]node{}
	nodes := h.all[1:]
	if version < V152 {
		for s, c := range counts {
			nodes[s].count, nodes[s].symbol = c, byte(s)
		}
		insertionSort(nodes[:len(counts)])
	} else {
		sortNodes(nodes, counts)
	}
	last := buildTree(&h.all, len(counts)-1)
	t.log = limitHeight(nodes, last, log)
	t.assign(nodes, last, len(counts))
}

// buckets of HUF_sort: counts up to distinctCounts have one each, larger ones one for each power of two.
const (
	sortBuckets    = 192
	logBuckets     = sortBuckets - 1 - 32 - 1
	distinctCounts = logBuckets + 7 // ZSTD_highbit32(158)
)

func bucketOf(count uint32) int {
	if count < distinctCounts {
		return int(count)
	}
	return highBit(count) + logBuckets
}

// sortNodes is HUF_sort: symbols by falling count. Which of equals comes first shows in the output.
func sortNodes(nodes []node, counts []uint32) {
	var base, current [sortBuckets]int
	for _, c := range counts {
		base[bucketOf(c)]++
	}
	for n := sortBuckets - 1; n > 0; n-- {
		base[n-1] += base[n]
		current[n-1] = base[n-1]
	}
	for s, c := range counts {
		r := bucketOf(c) + 1
		nodes[current[r]].count, nodes[current[r]].symbol = c, byte(s)
		current[r]++
	}
	for n := distinctCounts; n < sortBuckets-1; n++ {
		if current[n]-base[n] > 1 {
			quickSort(nodes[base[n]:current[n]], 0, current[n]-base[n]-1)
		}
	}
}

// quickSort is HUF_simpleQuickSort.
func quickSort(nodes []node, low, high int) {
	if high-low < 8 {
		insertionSort(nodes[low : high+1])
		return
	}
	for low < high {
		at := partition(nodes, low, high)
		if at-low < high-at {
			quickSort(nodes, low, at-1)
			low = at + 1
		} else {
			quickSort(nodes, at+1, high)
			high = at - 1
		}
	}
}

// insertionSort is HUF_insertionSort.
func insertionSort(nodes []node) {
	for i := 1; i < len(nodes); i++ {
		key, j := nodes[i], i-1
		for ; j >= 0 && nodes[j].count < key.count; j-- {
			nodes[j+1] = nodes[j]
		}
		nodes[j+1] = key
	}
}

// partition is HUF_quickSortPartition.
func partition(nodes []node, low, high int) int {
	i := low - 1
	for j := low; j < high; j++ {
		if nodes[j].count > nodes[high].count {
			i++
			nodes[i], nodes[j] = nodes[j], nodes[i]
		}
	}
	nodes[i+1], nodes[high] = nodes[high], nodes[i+1]
	return i + 1
}

// buildTree is HUF_buildTree: a tree of any height. all[0] is a barrier before the nodes. It returns the
// rarest symbol's place.
func buildTree(all *[2 * 256]node, last int) int {
	nodes := all[1:]
	at := func(i int) *node { return &all[i+1] }
	for nodes[last].count == 0 {
		last--
	}
	lowSymbol, next := last, firstNode
	root, lowNode := next+lowSymbol-1, next
	nodes[next].count = nodes[lowSymbol].count + nodes[lowSymbol-1].count
	nodes[lowSymbol].parent, nodes[lowSymbol-1].parent = uint16(next), uint16(next)
	next++
	lowSymbol -= 2
	for n := next; n <= root; n++ {
		nodes[n].count = 1 << 30
	}
	all[0].count = 1 << 31
	take := func() int {
		if at(lowSymbol).count < at(lowNode).count {
			lowSymbol--
			return lowSymbol + 1
		}
		lowNode++
		return lowNode - 1
	}
	for ; next <= root; next++ {
		n1 := take()
		n2 := take()
		nodes[next].count = at(n1).count + at(n2).count
		at(n1).parent, at(n2).parent = uint16(next), uint16(next)
	}
	nodes[root].bits = 0
	for n := root - 1; n >= firstNode; n-- {
		nodes[n].bits = nodes[nodes[n].parent].bits + 1
	}
	for n := range last + 1 {
		nodes[n].bits = nodes[nodes[n].parent].bits + 1
	}
	return last
}

// limitHeight is HUF_setMaxHeight: no code is longer than most bits. It returns the longest one's.
func limitHeight(nodes []node, last, most int) int {
	longest := int(nodes[last].bits)
	if longest <= most {
		return longest
	}
	cost, n := 0, last
	for base := 1 << (longest - most); int(nodes[n].bits) > most; n-- {
		cost += base - 1<<(longest-int(nodes[n].bits))
		nodes[n].bits = byte(most)
	}
	for int(nodes[n].bits) == most {
		n--
	}
	repay(nodes, cost>>(longest-most), n, most)
	return most
}

// repay is the second half of HUF_setMaxHeight: codes become longer until the cost of those made shorter is
// paid. n is the rarest symbol whose code is shorter than most.
func repay(nodes []node, cost, n, most int) {
	const none = -1
	var ranks [longestCode + 2]int // the rarest symbol of each rank
	for i := range ranks {
		ranks[i] = none
	}
	current := most
	for at := n; at >= 0; at-- {
		if b := int(nodes[at].bits); b < current {
			current = b
			ranks[most-b] = at
		}
	}
	for cost > 0 {
		less := bits.Len32(uint32(cost))
		for ; less > 1; less-- {
			high, low := ranks[less], ranks[less-1]
			if high == none {
				continue
			}
			if low == none || nodes[high].count <= 2*nodes[low].count {
				break
			}
		}
		for less <= longestCode && ranks[less] == none {
			less++
		}
		cost -= 1 << (less - 1)
		nodes[ranks[less]].bits++
		if ranks[less-1] == none {
			ranks[less-1] = ranks[less]
		}
		if ranks[less] == 0 {
			ranks[less] = none
		} else if ranks[less]--; int(nodes[ranks[less]].bits) != most-less {
			ranks[less] = none
		}
	}
	for ; cost < 0; cost++ {
		if ranks[1] == none {
			for int(nodes[n].bits) == most {
				n--
			}
			nodes[n+1].bits--
			ranks[1] = n + 1
			continue
		}
		nodes[ranks[1]+1].bits--
		ranks[1]++
	}
}

// assign is HUF_buildCTableFromTree.
func (t *huffmanTable) assign(nodes []node, last, symbols int) {
	var perRank, value [longestCode + 1]uint16
	for _, n := range nodes[:last+1] {
		perRank[n.bits]++
	}
	least := uint16(0)
	for n := t.log; n > 0; n-- {
		value[n] = least
		least = (least + perRank[n]) >> 1
	}
	clear(t.codes[:])
	for _, n := range nodes[:symbols] {
		t.codes[n.symbol].bits = n.bits
	}
	for s := range t.codes[:symbols] {
		c := &t.codes[s]
		c.value = value[c.bits]
		value[c.bits]++
	}
}

// size is HUF_estimateCompressedSize.
func (t *huffmanTable) size(counts []uint32) int {
	n := 0
	for s, c := range counts {
		n += int(t.codes[s].bits) * int(c)
	}
	return n >> 3
}

// holds is HUF_validateCTable: all symbols that there are have codes.
func (t *huffmanTable) holds(counts []uint32) bool {
	for s, c := range counts {
		if c != 0 && t.codes[s].bits == 0 {
			return false
		}
	}
	return true
}

// append writes the table: HUF_writeCTable_wksp.
func (t *huffmanTable) append(out []byte, symbols int, version Version) ([]byte, error) {
	var weights [256]byte
	for s, c := range t.codes[:symbols-1] {
		if c.bits > 0 {
			weights[s] = byte(t.log + 1 - int(c.bits))
		}
	}
	packed, err := appendWeights(nil, weights[:symbols-1], version)
	if err != nil {
		return out, err
	}
	if n := len(packed); n > 1 && n < (symbols-1)/2 {
		return append(append(out, byte(n)), packed...), nil
	}
	if symbols-1 > 128 {
		return out, errDistribution
	}
	out = append(out, byte(128+symbols-2))
	for s := 0; s < symbols-1; s += 2 {
		out = append(out, weights[s]<<4+weights[s+1])
	}
	return out, nil
}

// appendWeights is HUF_compressWeights. What it writes does not count if it has at most a byte.
func appendWeights(out []byte, weights []byte, version Version) ([]byte, error) {
	if len(weights) <= 1 {
		return out, nil
	}
	var counts [longestCode + 1]uint32
	top, most := 0, uint32(0)
	for _, w := range weights {
		counts[w]++
		top, most = max(top, int(w)), max(most, counts[w])
	}
	if int(most) == len(weights) || most == 1 {
		return out, nil
	}
	log := optimalTableLog(6, len(weights), top, 2)
	low := int16(1)
	if version < V148 {
		low = -1
	}
	var norm [longestCode + 1]int16
	if err := normalize(norm[:top+1], log, counts[:top+1], len(weights), low); err != nil {
		return out, err
	}
	out, err := appendDistribution(out, norm[:top+1], log)
	if err != nil {
		return out, err
	}
	var t encodingTable
	t.build(norm[:top+1], log)
	return t.interleave(out, weights), nil
}

// interleave is FSE_compress_usingCTable: two states take turns, from the end on. Nothing is written of less
// than three symbols.
func (t *encodingTable) interleave(out, symbols []byte) []byte {
	n := len(symbols)
	if n <= 2 {
		return out[:0]
	}
	w := &bitWriter{out: out}
	var states [2]encoder // of even and odd places
	n--
	states[n&1] = t.begin(symbols[n])
	n--
	states[n&1] = t.begin(symbols[n])
	for n--; n >= 0; n-- {
		states[n&1].encode(w, symbols[n])
	}
	states[1].end(w)
	states[0].end(w)
	return w.close()
}
