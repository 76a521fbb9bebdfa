// Package mix codes short byte streams by context mixing: the bits of each byte are predicted from the
// bytes before it by several models, whose predictions are mixed by how well they did so far, and
// written by an arithmetic coder.
//
// It codes the numbers of a patch a fifth smaller than Zstandard does, at some megabytes a second
// both ways, in the manner of Matt Mahoney's lpaq. All arithmetic is on integers: every machine makes
// the same bytes.
package mix

import (
	"bufio"
	"errors"
	"io"
)

// MaxSize is how many bytes a stream may have.
const MaxSize = 8 << 20

// orders is how many bytes of context each model takes, 0 and up.
const orders = 6

// maxTable bounds a model's memory: six tables of 1 MiB.
const maxTable = 18

// counter is a model's estimate for one context: a probability of 22 bits and how often it was seen.
type counter uint32

const (
	countBits  = 10
	countMask  = 1<<countBits - 1
	countLimit = 250
	half       = counter(1 << 31)
)

// model predicts bits.
type model struct {
	tables  [orders][]counter
	mask    uint32
	base    [orders]uint32 // where a context's counters begin
	slot    [orders]uint32 // of the bit being coded
	inputs  [orders]int32
	weights [256 * orders]int32
	set     int    // of weights, for the bit being coded
	partial uint32 // the bits of this byte so far, after a 1
	history uint64 // the bytes before
	guess   int32  // probability of a 1, of 4096
	curves  *curves
}

// curves maps probabilities to and from the domain in which they are mixed.
type curves struct {
	stretch [4096]int16
	squash  [4096]int16
	rates   [countMask + 1]uint32
}

func newCurves() *curves {
	c := &curves{}
	knots := [33]int32{1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348,
		3607, 3785, 3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094}
	for i := range int32(4096) {
		w, k := i&127, i>>7
		c.squash[i] = int16((knots[k]*(128-w) + knots[k+1]*w + 64) >> 7)
	}
	at := int32(0)
	for i := range int32(4096) {
		for p := int32(c.squash[i]); at <= p; at++ {
			c.stretch[at] = int16(i - 2048)
		}
	}
	for ; at < 4096; at++ {
		c.stretch[at] = 2047
	}
	for n := range c.rates {
		c.rates[n] = uint32(65536 * 10 / (10*n + 16))
	}
	return c
}

func newModel(size int) *model {
	bits := uint(10)
	for bits < maxTable && 1<<bits < 4*size {
		bits++
	}
	m := &model{mask: 1<<bits - 1, partial: 1, curves: newCurves()}
	for i := range m.tables {
		m.tables[i] = make([]counter, 1<<bits)
		for j := range m.tables[i] {
			m.tables[i][j] = half
		}
	}
	for i := range m.weights {
		m.weights[i] = 1 << 14
	}
	m.contexts()
	m.predict()
	return m
}

// lengths is how many bytes of context a model has.
var lengths = [orders]uint{0, 1, 2, 3, 4, 6}

// contexts finds each model's counters for the next byte.
func (m *model) contexts() {
	for i, n := range lengths {
		h := m.history << (64 - 8*n) // of 0 bytes: 0
		h = (h + uint64(i+1)) * 0x9e3779b97f4a7c15
		m.base[i] = uint32(h >> 32)
	}
}

func (m *model) predict() {
	m.set = int(m.partial&0xff) * orders
	sum := int64(0)
	for i := range orders {
		m.slot[i] = (m.base[i] + m.partial*0x2f0b4c47) & m.mask
		m.inputs[i] = int32(m.curves.stretch[m.tables[i][m.slot[i]]>>20])
		sum += int64(m.inputs[i]) * int64(m.weights[m.set+i])
	}
	m.guess = min(max(m.curves.squashed(int32(sum>>16)), 1), 4095)
}

func (c *curves) squashed(v int32) int32 {
	return int32(c.squash[min(max(v, -2047), 2047)+2048])
}

// update learns a bit.
func (m *model) update(bit uint32) {
	miss := (int32(bit)<<12 - m.guess) * 10
	for i := range orders {
		w := &m.weights[m.set+i]
		*w += (m.inputs[i]*miss + 0x8000) >> 16
		c := &m.tables[i][m.slot[i]]
		n := uint32(*c & countMask)
		p := uint32(*c >> countBits)
		if bit != 0 {
			p += uint32(uint64(1<<22-1-p) * uint64(m.curves.rates[n]) >> 16)
		} else {
			p -= uint32(uint64(p) * uint64(m.curves.rates[n]) >> 16)
		}
		if n < countLimit {
			n++
		}
		*c = counter(p<<countBits | n)
	}
	m.partial = m.partial<<1 | bit
	if m.partial >= 256 {
		m.history = m.history<<8 | uint64(m.partial&0xff)
		m.partial = 1
		m.contexts()
	}
	m.predict()
}

// Encode returns plain coded. It is at most MaxSize bytes.
func Encode(plain []byte) ([]byte, error) {
	if len(plain) > MaxSize {
		return nil, errors.New("mix: stream is too long")
	}
	m := newModel(len(plain))
	var out []byte
	low, high := uint32(0), ^uint32(0)
	for _, c := range plain {
		for shift := 7; shift >= 0; shift-- {
			bit := uint32(c) >> shift & 1
			middle := split(low, high, m.guess)
			if bit != 0 {
				high = middle
			} else {
				low = middle + 1
			}
			m.update(bit)
			for (low^high)>>24 == 0 {
				out = append(out, byte(high>>24))
				low, high = low<<8, high<<8|0xff
			}
		}
	}
	return append(out, byte(low>>24), byte(low>>16), byte(low>>8), byte(low)), nil
}

// split returns where the range of a 1 ends.
func split(low, high uint32, guess int32) uint32 {
	return low + uint32(uint64(high-low)*uint64(guess)>>12)
}

// reader decodes a stream.
type reader struct {
	r         *bufio.Reader
	m         *model
	left      int
	low, high uint32
	code      uint32
	begun     bool
}

// NewReader returns a reader of the size bytes that are coded in r.
func NewReader(r io.Reader, size int) (io.Reader, error) {
	if size < 0 || size > MaxSize {
		return nil, errors.New("mix: stream is too long")
	}
	return &reader{r: bufio.NewReader(r), left: size, high: ^uint32(0)}, nil
}

// Read decodes the next bytes. A stream that ends early is io.ErrUnexpectedEOF.
func (d *reader) Read(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.m = newModel(d.left)
		for range 4 {
			if err := d.shift(); err != nil {
				return 0, err
			}
		}
	}
	if d.left == 0 {
		return 0, d.end()
	}
	p = p[:min(len(p), d.left)]
	for i := range p {
		c, err := d.byte()
		if err != nil {
			return i, err
		}
		p[i] = c
		d.left--
	}
	return len(p), nil
}

// end tells whether the stream ends where its bytes do.
func (d *reader) end() error {
	if _, err := d.r.ReadByte(); err == nil {
		return errors.New("mix: stream goes on after its end")
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

func (d *reader) shift() error {
	c, err := d.r.ReadByte()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	d.code = d.code<<8 | uint32(c)
	return err
}

func (d *reader) byte() (byte, error) {
	for range 8 {
		middle := split(d.low, d.high, d.m.guess)
		bit := uint32(0)
		if d.code <= middle {
			bit, d.high = 1, middle
		} else {
			d.low = middle + 1
		}
		d.m.update(bit)
		for (d.low^d.high)>>24 == 0 {
			d.low, d.high = d.low<<8, d.high<<8|0xff
			if err := d.shift(); err != nil {
				return 0, err
			}
		}
	}
	return byte(d.m.history), nil
}
