package czstd

// Numbers of ZSTD_splitBlock, which libzstd has since 1.5.7.
const (
	splitChunk   = 8 << 10
	splitSegment = 512
	splitRate    = 43 // one byte in so many is looked at: ZSTD_recordFingerprint_43
	splitPenalty = 3
)

// fingerprint counts bytes of a stretch.
type fingerprint struct {
	events [256]uint32
	count  uint64
}

// record adds one byte in rate.
func (f *fingerprint) record(p []byte, rate int) {
	for i := 0; i < len(p); i += rate {
		f.events[p[i]]++
	}
}

// distance is fpDistance.
func (f *fingerprint) distance(g *fingerprint) uint64 {
	sum := uint64(0)
	for i := range f.events {
		d := int64(uint64(f.events[i])*g.count) - int64(uint64(g.events[i])*f.count)
		sum += uint64(max(d, -d))
	}
	return sum
}

// differs is compareFingerprints.
func (f *fingerprint) differs(g *fingerprint, penalty uint64) bool {
	return f.distance(g) >= f.count*g.count*(14+penalty)/16
}

// splitBorders is ZSTD_splitBlock_fromBorders: how many bytes of a full block are better made a block.
func splitBorders(p []byte) int {
	segment := func(at int) *fingerprint {
		f := &fingerprint{count: splitSegment}
		f.record(p[at:at+splitSegment], 1)
		return f
	}
	begin, end := segment(0), segment(len(p)-splitSegment)
	if !begin.differs(end, 0) {
		return len(p)
	}
	middle := segment(len(p)/2 - splitSegment/2)
	fromBegin, fromEnd := int64(begin.distance(middle)), int64(end.distance(middle))
	switch d := fromBegin - fromEnd; {
	case max(d, -d) < splitSegment*splitSegment/3:
		return 64 << 10
	case d > 0:
		return 32 << 10
	}
	return 96 << 10
}

// splitChunks is ZSTD_splitBlock_byChunks with its fastest sampling.
func splitChunks(p []byte) int {
	chunk := func(at int) *fingerprint {
		f := &fingerprint{count: (splitChunk - 1) / splitRate}
		f.record(p[at:at+splitChunk-1], splitRate)
		return f
	}
	past, penalty := chunk(0), uint64(splitPenalty)
	for at := splitChunk; at < len(p); at += splitChunk {
		next := chunk(at)
		if past.differs(next, penalty) {
			return at
		}
		for i, n := range next.events {
			past.events[i] += n
		}
		past.count += next.count
		if penalty > 0 {
			penalty--
		}
	}
	return len(p)
}
