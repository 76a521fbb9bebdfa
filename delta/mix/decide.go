package mix

// Contexts are hashes of what is known when something is decided: what came of the decisions before in
// each of them is mixed. Equal ones at different places mean different things.
type Contexts [inputs]uint32

// inputs is how many estimates are mixed.
const inputs = 4

// Decider codes decisions of two ways, and symbols, which are trees of them.
type Decider struct {
	coder *Coder
	table []uint8               // states of contexts
	shift uint32                // of a hash of 32 bits to a place in the table
	maps  [inputs][256]estimate // what comes of states
	sets  [WeightSets]weights   // what estimates count
}

// weights are of 65536.
type weights [inputs]int32

// WeightSets is how many sets of weights there are to choose from.
const WeightSets = 1 << 10

// The bits of the places in a table.
const (
	leastPlaces = 16
	mostPlaces  = 22
)

// firstWeight is what weights are at first.
const firstWeight = 20000

// NewDecider returns a decider with a coder and a table with as many places as wanted, within limits.
func NewDecider(c *Coder, places int64) *Decider {
	size := uint32(leastPlaces)
	for size < mostPlaces && 1<<size < places {
		size++
	}
	d := &Decider{coder: c, table: make([]uint8, 1<<size), shift: 32 - size}
	for i := range d.maps {
		d.maps[i] = initial
	}
	for i := range d.sets {
		d.sets[i] = weights{firstWeight, firstWeight, firstWeight, firstWeight}
	}
	return d
}

// place returns where the states of a context stand, the i-th of a decision.
func (d *Decider) place(context, i uint32) uint32 {
	hash := (context + i*0x3d4d51cb) * 0x9e3779b1
	hash ^= hash >> 15
	return hash * 0x85ebca6b >> (d.shift & 31)
}

// Decide codes a bit. set chooses the weights.
func (d *Decider) Decide(bit uint32, contexts *Contexts, set int) uint32 {
	return d.bit(bit, d.place(contexts[0], 0), d.place(contexts[1], 1), d.place(contexts[2], 2), d.place(contexts[3], 3), set)
}

// Symbol codes a number of up to four bits, the highest first. Node n of its tree chooses weights set + n·step.
func (d *Decider) Symbol(v uint32, bits int, contexts *Contexts, set, step int) uint32 {
	p0, p1, p2, p3 := d.place(contexts[0], 0), d.place(contexts[1], 1), d.place(contexts[2], 2), d.place(contexts[3], 3)
	node := uint32(1) // of up to 15, whose states stand together
	for k := bits - 1; k >= 0; k-- {
		node = node<<1 | d.bit(v>>uint(k)&1, p0^node, p1^node, p2^node, p3^node, set+step*int(node))
	}
	return node &^ (1 << uint(bits))
}

// Byte codes a byte as two symbols, whose weights are all of one set. It changes the contexts.
func (d *Decider) Byte(v byte, contexts *Contexts, set int) byte {
	high := d.Symbol(uint32(v>>4), 4, contexts, set, 0)
	for i := range contexts {
		contexts[i] += (high + 1) * 0x165667b1
	}
	return byte(high<<4 | d.Symbol(uint32(v&15), 4, contexts, set, 0))
}

// Raw codes a number of so many bits of which nothing is known.
func (d *Decider) Raw(v uint64, bits int) (r uint64) {
	for k := bits - 1; k >= 0; k-- {
		r = r<<1 | uint64(d.coder.bit(uint32(v>>uint(k))&1, 1<<15))
	}
	return r
}

// bit codes a bit by states at places in the table.
func (d *Decider) bit(bit, p0, p1, p2, p3 uint32, set int) uint32 {
	w := &d.sets[set&(WeightSets-1)]
	s0, s1, s2, s3 := &d.table[p0], &d.table[p1], &d.table[p2], &d.table[p3]
	e0, e1, e2, e3 := &d.maps[0][*s0], &d.maps[1][*s1], &d.maps[2][*s2], &d.maps[3][*s3]
	v0, v1, v2, v3 := e0.stretched(), e1.stretched(), e2.stretched(), e3.stretched()
	p := squashed((int64(v0)*int64(w[0]) + int64(v1)*int64(w[1]) + int64(v2)*int64(w[2]) + int64(v3)*int64(w[3])) >> 16)
	bit = d.coder.bit(bit, uint32(p)) & 1
	miss := (int32(bit<<16) - int32(bit) - p) * 5 >> 1
	w[0] += (v0*miss + 1<<15) >> 16
	w[1] += (v1*miss + 1<<15) >> 16
	w[2] += (v2*miss + 1<<15) >> 16
	w[3] += (v3*miss + 1<<15) >> 16
	e0.learn(bit)
	e1.learn(bit)
	e2.learn(bit)
	e3.learn(bit)
	next := &next[bit]
	*s0, *s1, *s2, *s3 = next[*s0], next[*s1], next[*s2], next[*s3]
	return bit
}

// Err returns the first error of what is decoded.
func (d *Decider) Err() error { return d.coder.Err() }
