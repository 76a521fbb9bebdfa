package mix

import "math/bits"

// MaxContexts is how many contexts a decision has at most.
const MaxContexts = 10

// Decider codes decisions of two ways. Each comes with contexts of its own, hashes of whatever is known:
// what came of the decisions before in each of them is mixed.
type Decider struct {
	coder  *Coder
	table  []estimate
	shift  uint
	one    [WeightSets]decisionWeights
	two    [WeightSets]decisionWeights
	refine [WeightSets]refiner // by the number that chooses from one
}

type decisionWeights [MaxContexts]int32

// WeightSets is how many sets of weights there are to choose from, twice.
const WeightSets = 1 << 10

// A table has that many entries.
const (
	leastDecisions = 18 // bits
	mostDecisions  = 20
)

// NewDecider returns a decider with a coder, for a number of things that take dozens of decisions.
func NewDecider(c *Coder, things int64) *Decider {
	size := uint(leastDecisions)
	for size < mostDecisions && 1<<size < 64*things {
		size++
	}
	d := &Decider{coder: c, table: make([]estimate, 1<<size), shift: 32 - size}
	for i := range d.table {
		d.table[i] = half
	}
	for i := range d.one {
		for j := range d.one[i] {
			d.one[i][j], d.two[i][j] = firstWeight, firstWeight
		}
		d.refine[i] = unrefined
	}
	return d
}

const firstWeight = 20000

// trust is how much an estimate counts that was seen n times, of 256.
var trust [countMask + 1]int32

func init() {
	for n := range trust {
		trust[n] = int32(400 * n / (n + 2))
	}
}

// Decide codes a bit: node tells apart the decisions that share contexts, one and two choose the weights.
func (d *Decider) Decide(bit, node uint32, contexts []uint32, one, two int) uint32 {
	var in [MaxContexts]int32
	var by [MaxContexts]*estimate
	first, second := &d.one[one&(WeightSets-1)], &d.two[two&(WeightSets-1)]
	contexts = contexts[:min(len(contexts), MaxContexts)]
	depth := uint32(bits.Len32(node|1)-1) & 3 // in a tree of 15 nodes, whose estimates share a cache line
	at := node&(1<<depth-1) | 1<<depth
	node = node >> depth * 0x2f0b4c47
	var sum, sum2 int64
	for i, c := range contexts {
		hash := (c + node) * 0x9e3779b1
		hash ^= hash >> 15
		hash *= 0x85ebca6b
		e := &d.table[hash>>d.shift^at]
		v := int32(stretch[*e>>20]) * trust[uint32(*e)&countMask] >> 8
		by[i], in[i] = e, v
		sum += int64(v) * int64(first[i])
		sum2 += int64(v) * int64(second[i])
		node += 0x3d4d51cb
	}
	x, y := clamp(sum>>16), clamp(sum2>>16)
	p := uint32(squash[(x+y)>>1+2048])
	r := &d.refine[one&(WeightSets-1)]
	bit = d.coder.bit(bit, min(max((p+r.ask(p))>>1, 16), 65536-16))
	r.learn(bit)
	whole := int32(bit<<16) - int32(bit)
	miss, miss2 := (whole-int32(squash[x+2048]))*5>>1, (whole-int32(squash[y+2048]))*5>>1
	for i, e := range by[:len(contexts)] {
		first[i] += (in[i]*miss + 1<<15) >> 16
		second[i] += (in[i]*miss2 + 1<<15) >> 16
		e.learn(bit, 127)
	}
	return bit
}

// Err returns the first error of what is decoded.
func (d *Decider) Err() error { return d.coder.Err() }
