package mix

const (
	maxContexts = 12
	maxInputs   = maxContexts + 6
	sets        = 2 // of weights, whose mixtures are mixed again
)

// slot holds the states of the 15 nodes of a nibble's tree in one context, after a check byte.
type slot [16]byte

// model predicts bytes, bit by bit: it looks up what came before in each of the contexts that its user
// hashes, mixes what they foretell and refines it by the outcome of like forecasts.
type model struct {
	coder    *Coder
	table    []bucket
	touched  byte // keeps loads
	mask     uint32
	n        int // contexts
	contexts [maxContexts]uint32
	slots    [maxContexts]*slot
	maps     [maxContexts][256]estimate
	inputs   [maxInputs]int32
	count    int // inputs
	first    [sets][]int32
	chosen   [sets]int // set of weights that is used, for this byte; of the second it is the node
	final    []int32
	refine   [2]refiner
	refining [2]uint32         // contexts of refiners, for this byte
	extra    func(node uint32) // adds inputs
	learn    func(bit uint32)  // tells who added inputs
}

// bucket holds the slots that are looked at for one context: a cache line.
type bucket [4]slot

// newModel returns a model with n contexts and extra inputs, a table of about size bytes, and as many
// sets of weights as given.
func newModel(c *Coder, n, extra, size int, sizes [sets]int) *model {
	buckets := 1
	for buckets*128 <= size {
		buckets *= 2
	}
	m := &model{coder: c, table: make([]bucket, buckets), mask: uint32(buckets - 1), n: n, count: n + extra}
	for i := range n {
		m.maps[i] = initial
	}
	for i := range m.first {
		m.first[i] = make([]int32, sizes[i]*m.count)
		for j := range m.first[i] {
			m.first[i][j] = 1 << 14
		}
	}
	m.final = make([]int32, 256*sets)
	for i := range m.final {
		m.final[i] = 65536 / sets
	}
	for i := range m.refine {
		m.refine[i] = newRefiner(10)
	}
	return m
}

// find finds the slots of all contexts for a nibble. The places of all are loaded first, at once.
func (m *model) find(node uint32) {
	var hashes [maxContexts]uint32
	touched := byte(0)
	for i, context := range m.contexts[:m.n] {
		hash := (context + node*0x2f0b4c47) * 0x9e3779b1
		hash ^= hash >> 15
		hashes[i] = hash
		touched |= m.table[hash&m.mask][0][0]
	}
	m.touched = touched
	for i, hash := range hashes[:m.n] {
		m.slots[i] = m.table[hash&m.mask].find(byte(hash >> 24))
	}
}

// find returns the slot with a check byte. If there is none, it takes the place of the one seen least.
func (b *bucket) find(check byte) *slot {
	for i := range b {
		if b[i][0] == check && b[i][1] != 0 {
			return &b[i]
		}
	}
	least := 0
	for i := range b {
		if b[i][1] < b[least][1] {
			least = i
		}
	}
	b[least] = slot{0: check}
	return &b[least]
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
	at &= 15
	inputs := m.inputs[:m.count]
	var by [maxContexts]*estimate
	for i, s := range m.slots[:m.n] {
		state := s[at]
		by[i] = &m.maps[i][state]
		inputs[i] = 0
		if state != 0 {
			inputs[i] = by[i].stretched()
		}
	}
	if m.extra != nil {
		m.extra(node)
	}
	m.chosen[1] = int(node)
	var mixed [sets]int32
	var weights [sets][]int32
	for s := range sets {
		begin := m.chosen[s] * m.count
		weights[s] = m.first[s][begin : begin+m.count]
		mixed[s] = min(max(dot(inputs, weights[s]), -2047), 2047)
	}
	final := m.final[node*sets : node*sets+sets]
	p := squashed(dot(mixed[:], final))
	one := (2*p + m.refine[0].ask(m.refining[0]<<8|node, p) + m.refine[1].ask(m.refining[1]^node*0x9e35, p)) / 4
	bit = m.coder.bit(bit, min(max(one, 16), 65536-16))

	train(mixed[:], final, (int32(bit<<16)-int32(bit)-int32(p))>>2)
	for s := range sets {
		miss := int32(bit<<16) - int32(bit) - int32(squashed(mixed[s]))
		if miss > sureMiss || miss < -sureMiss {
			train(inputs, weights[s], miss*5>>2)
		}
	}
	for i, s := range m.slots[:m.n] {
		state := &s[at]
		if *state != 0 {
			by[i].learn(bit, 255)
		}
		*state = next[*state][bit]
	}
	m.refine[0].learn(bit)
	m.refine[1].learn(bit)
	if m.learn != nil {
		m.learn(bit)
	}
	return bit
}

// sureMiss is the miss, of 65536, up to which weights stay as they are: most bits are foretold well.
const sureMiss = 400

func dot(inputs, weights []int32) int32 {
	sum := int64(0)
	for i, v := range inputs {
		sum += int64(v) * int64(weights[i])
	}
	return int32(sum >> 16)
}

// train moves weights to where they had foretold the bit better.
func train(inputs, weights []int32, miss int32) {
	for i, v := range inputs {
		weights[i] += (v*miss + 1<<15) >> 16
	}
}

// refiner maps a probability in a context to what came of such ones, between 33 steps of it.
type refiner struct {
	steps []estimate
	mask  uint32
	at    uint32
}

func newRefiner(bits int) refiner {
	r := refiner{steps: make([]estimate, 33<<bits), mask: 1<<bits - 1}
	for i := range r.steps {
		r.steps[i] = estimate(knots[i%33])<<16 | 6
	}
	return r
}

func (r *refiner) ask(context, p uint32) uint32 {
	v := uint32(int32(stretch[p>>4]) + 2048)
	at := (context&r.mask)*33 + v>>7
	w := v & 127
	r.at = at
	if w >= 64 {
		r.at++
	}
	return (uint32(r.steps[at]>>16)*(128-w) + uint32(r.steps[at+1]>>16)*w) >> 7
}

func (r *refiner) learn(bit uint32) { r.steps[r.at].learn(bit, 127) }
