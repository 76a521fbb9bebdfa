package mix

import "math/bits"

const (
	maxContexts = 11
	maxInputs   = 16 // of contexts and others
)

// model predicts bytes, bit by bit: it looks up what came before in each of the contexts that its user
// gives, mixes what they foretell and refines it by the outcome of like forecasts.
type model struct {
	coder     *Coder
	table     []bucket
	mask      uint32
	n         int                    // contexts
	count     int                    // inputs
	last      byte                   // the byte before, which is the first context
	direct    []slot                 // of the first context
	contexts  [maxContexts]uint32    // of the others, hashed
	slots     [maxContexts + 1]*slot // of the nibble in hand
	maps      [maxContexts + 1][256]estimate
	inputs    [maxInputs]int32
	chosen    uint32       // number that chooses weights, for this byte; below 256
	first     [256]weights // by number
	second    [256]weights // by node
	refine    [256]refiner // by node
	forecasts []*forecast  // give two inputs each
}

// weights are what inputs count, of 65536: a cache line.
type weights [maxInputs]int32

// slot holds the states of the 15 nodes of a nibble's tree in one context.
type slot [15]uint8

// bucket holds the slots that are looked at for one context, each of which has a check byte: a cache line.
type bucket struct {
	checks uint32
	slots  [4]slot
}

// newModel returns a model with n contexts beside the byte before, a table of about size bytes and forecasts.
func newModel(c *Coder, n, size int, forecasts ...*forecast) *model {
	buckets := 1
	for buckets*128 <= size {
		buckets *= 2
	}
	m := &model{coder: c, table: make([]bucket, buckets), mask: uint32(buckets - 1), n: n, count: n + 1 + 2*len(forecasts), direct: make([]slot, 256*nibbles), forecasts: forecasts}
	for i := range n + 1 {
		m.maps[i] = initial
	}
	for i := range m.first {
		for j := range m.count {
			m.first[i][j], m.second[i][j] = 1<<14, 1<<14
		}
		m.refine[i] = unrefined
	}
	return m
}

// nibbles is how many slots a byte has: one for its first nibble, and one for its second after each.
const nibbles = 17

// find finds the slots of all contexts for a nibble. The buckets of all are loaded first, at once.
func (m *model) find(node uint32) {
	var buckets [maxContexts]*bucket
	var checks, others [maxContexts]uint32
	for i, context := range m.contexts[:m.n] {
		hash := (context + node*0x2f0b4c47) * 0x9e3779b1
		hash ^= hash >> 15
		b := &m.table[hash&m.mask]
		buckets[i], checks[i], others[i] = b, hash>>24, b.checks
	}
	m.slots[0] = &m.direct[int(m.last)*nibbles+int(max(node, 15)-15)]
	for i, b := range buckets[:m.n] {
		m.slots[i+1] = b.find(others[i], checks[i])
	}
}

// find returns the slot with a check byte. If there is none, it takes the place of the one seen least.
func (b *bucket) find(checks, check uint32) *slot {
	other := checks ^ check*0x01010101
	if zero := (other - 0x01010101) &^ other & 0x80808080; zero != 0 {
		return &b.slots[bits.TrailingZeros32(zero)>>3&3]
	}
	// The states of first nodes, with the slots' numbers below them: the least is that of the first such.
	least := min(uint32(b.slots[0][0])<<2, uint32(b.slots[1][0])<<2|1, uint32(b.slots[2][0])<<2|2, uint32(b.slots[3][0])<<2|3) & 3
	b.checks = checks&^(0xff<<(8*least)) | check<<(8*least)
	b.slots[least] = slot{}
	return &b.slots[least]
}

// code codes a byte.
func (m *model) code(symbol byte) byte {
	node := uint32(1)
	for half := range 2 {
		m.find(node)
		at := uint32(1)
		for shift := range 4 {
			bit := m.bit(at, node, uint32(symbol)>>(7-4*half-shift)&1)
			at = at<<1 | bit
			node = node<<1 | bit
		}
	}
	return byte(node)
}

// bit codes a bit of a byte: at is its node in the nibble's tree, node that in the byte's.
func (m *model) bit(at, node, bit uint32) uint32 {
	first, second := &m.first[m.chosen&255], &m.second[node&255]
	in := &m.inputs
	var sum, sum2 int64
	slots := m.slots[:m.n+1]
	for i, s := range slots {
		v := int64(stretch[m.maps[i][s[at-1]]>>20])
		in[i] = int32(v)
		sum += v * int64(first[i])
		sum2 += v * int64(second[i])
	}
	for k, f := range m.forecasts {
		i := len(slots) + 2*k
		u, v := f.ask(node)
		in[i], in[i+1] = u, v
		sum += int64(u)*int64(first[i]) + int64(v)*int64(first[i+1])
		sum2 += int64(u)*int64(second[i]) + int64(v)*int64(second[i+1])
	}
	v, v2 := clamp(sum>>16), clamp(sum2>>16)
	p := uint32(squash[(v+v2)>>1+2048])
	r := &m.refine[node&255]
	one := (p + r.ask(p)) >> 1
	bit = m.coder.bit(bit, min(max(one, 16), 65536-16))

	r.learn(bit)
	whole := int32(bit<<16) - int32(bit)
	if miss := whole - int32(squash[v+2048]); miss > sureMiss || miss < -sureMiss {
		train(in[:m.count], first, miss*5>>1)
	}
	if miss := whole - int32(squash[v2+2048]); miss > sureMiss || miss < -sureMiss {
		train(in[:m.count], second, miss*5>>1)
	}
	next := &next[bit&1]
	for i, s := range slots {
		state := &s[at-1]
		m.maps[i][*state].learn(bit, 255)
		*state = next[*state]
	}
	for _, f := range m.forecasts {
		f.learn(bit)
	}
	return bit
}

// sureMiss is the miss, of 65536, up to which weights stay as they are: most bits are foretold well.
const sureMiss = 400

func clamp(v int64) int32 { return int32(min(max(v, -2047), 2047)) }

// train moves weights to where they had foretold the bit better.
func train(in []int32, w *weights, miss int32) {
	for i, v := range in[:min(len(in), len(w))] {
		w[i] += (v*miss + 1<<15) >> 16
	}
}

// refiner maps a probability to what came of such ones, between 33 steps of it.
type refiner struct {
	steps [33]estimate
	at    uint32
}

var unrefined = func() (r refiner) {
	for i := range r.steps {
		r.steps[i] = estimate(knots[i])<<16 | 6
	}
	return r
}()

func (r *refiner) ask(p uint32) uint32 {
	v := uint32(int32(stretch[p>>4&4095]) + 2048)
	at, w := v>>7&31, v&127
	r.at = at + w>>6
	return (uint32(r.steps[at]>>16)*(128-w) + uint32(r.steps[at+1]>>16)*w) >> 7
}

func (r *refiner) learn(bit uint32) { r.steps[min(r.at, 32)].learn(bit, 127) }
