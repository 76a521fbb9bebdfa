package tokens

// prob estimates how likely a bit is 0, in 2^16, quickly and slowly learnt.
type prob struct{ fast, slow uint16 }

const (
	fastShift = 4
	slowShift = 7
)

func newProbs(n int) []prob {
	p := make([]prob, n)
	for i := range p {
		p[i] = prob{1 << 15, 1 << 15}
	}
	return p
}

func (p *prob) learn(bit int) {
	if bit == 0 {
		p.fast += (1<<16 - 1 - p.fast) >> fastShift
		p.slow += (1<<16 - 1 - p.slow) >> slowShift
	} else {
		p.fast -= p.fast >> fastShift
		p.slow -= p.slow >> slowShift
	}
}

// zero returns the probability of a 0 in 2^16, never 0 and never 1.
func (p *prob) zero() uint32 { return max(16, (uint32(p.fast)+uint32(p.slow))/2) }

// coder is a binary range coder, in the manner of LZMA's. One that writes takes each bit and gives it
// back; one that reads gives the bit that was written: so that the model is one program for both.
type coder struct {
	reads bool
	bytes []byte // written, or still to be read
	rng   uint32
	code  uint32 // of a reader
	low   uint64 // of a writer
	held  byte   // the last byte written that a carry may change
	runs  int    // of it and the bytes 255 behind it
	short bool   // more was read than there is
}

func newCoder() *coder { return &coder{rng: 1<<32 - 1, runs: 1} }

func newReader(b []byte) *coder {
	c := &coder{reads: true, bytes: b, rng: 1<<32 - 1}
	for range 5 {
		c.code = c.code<<8 | uint32(c.next())
	}
	return c
}

func (c *coder) next() byte {
	if len(c.bytes) == 0 {
		c.short = true
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return b
}

// bit codes one bit.
func (c *coder) bit(p *prob, bit int) int {
	bound := c.rng >> 16 * p.zero()
	if c.reads {
		bit = 1
		if c.code < bound {
			bit = 0
		} else {
			c.code -= bound
		}
	} else if bit != 0 {
		c.low += uint64(bound)
	}
	if bit == 0 {
		c.rng = bound
	} else {
		c.rng -= bound
	}
	p.learn(bit)
	for c.rng < 1<<24 {
		c.rng <<= 8
		if c.reads {
			c.code = c.code<<8 | uint32(c.next())
		} else {
			c.shift()
		}
	}
	return bit
}

// shift writes the highest byte of low.
func (c *coder) shift() {
	if c.low < 0xff<<24 || c.low >= 1<<32 {
		for ; c.runs > 0; c.runs-- {
			c.bytes = append(c.bytes, c.held+byte(c.low>>32))
			c.held = 0xff
		}
		c.held = byte(c.low >> 24)
	}
	c.runs++
	c.low = c.low & (1<<24 - 1) << 8
}

// finish returns what a writer has written.
func (c *coder) finish() []byte {
	for range 5 {
		c.shift()
	}
	return c.bytes
}

// tree codes a value of some bits, the highest first.
func (c *coder) tree(p []prob, bits uint, value int) int {
	node := 1
	for i := int(bits) - 1; i >= 0; i-- {
		node = node<<1 | c.bit(&p[node], value>>i&1)
	}
	return node - 1<<bits
}

// number codes a value of at most 2^24−2: how many bits value+1 has, then these.
func (c *coder) number(n *number, value int) int {
	bits := 0
	for (value+1)>>(bits+1) != 0 {
		bits++
	}
	bits = min(c.tree(n.bits, 5, bits), 23)
	v := 1
	for i := bits - 1; i >= 0; i-- {
		v = v<<1 | c.bit(&n.value[bits*24+i], (value+1)>>i&1)
	}
	return v - 1
}

// number is the state of numbers of one kind.
type number struct{ bits, value []prob }

func newNumber() *number { return &number{newProbs(32), newProbs(24 * 24)} }
