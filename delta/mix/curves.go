package mix

// stretch maps a probability of 12 bits to the logistic domain, where probabilities are mixed: 256
// times ln(p/(1-p)). squash maps back, to a probability of 16 bits.
var (
	stretch [4096]int16
	squash  [4096]uint16
)

// knots are the logistic curve at -8, -7.5, ... 8; between them squash is linear.
var knots = [33]int32{22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768,
	40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514}

// rates are how much of a miss a probability learns that was seen n times before, of 65536.
var rates [countMask + 1]uint16

func init() {
	for i := range int32(4096) {
		w, k := i&127, i>>7
		squash[i] = uint16((knots[k]*(128-w) + knots[k+1]*w + 64) >> 7)
	}
	at := 0
	for i := range 4096 {
		for ; at <= int(squash[i]>>4); at++ {
			stretch[at] = int16(i - 2048)
		}
	}
	for ; at < 4096; at++ {
		stretch[at] = 2047
	}
	for n := range rates[:countMask] {
		rates[n] = uint16(65536 * 10 / (10*n + 16))
	}
}

// estimate is a probability of 22 bits with the number of times it was seen in the low 10 bits.
type estimate uint32

const (
	countBits = 10
	countMask = 1<<countBits - 1
	half      = estimate(1 << 31)
)

// mostSeen is how often an estimate learns at most until it learns no more slowly.
const mostSeen = 255

// learn moves an estimate towards a bit, more slowly each time.
func (e *estimate) learn(bit uint32) {
	n := uint32(*e) & countMask
	p := int64(*e >> countBits)
	p += (int64(-bit&(1<<22-1)) - p) * int64(rates[n]) >> 16
	n += (n - mostSeen) >> 31
	*e = estimate(uint32(p)<<countBits | n)
}

// squashed returns the probability, of 16 bits, of a sum in the logistic domain.
func squashed(v int64) int32 { return int32(squash[(min(max(v, -2047), 2047)+2048)&4095]) }

func (e estimate) stretched() int32 { return int32(stretch[e>>20]) }
