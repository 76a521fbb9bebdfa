package replay

import "io"

// fixed: RFC 1951, 3.2.6.
func (f *Inflater) fixed() error {
	lengths := f.lengths[:288]
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	// The last two of 288 codes and of 32 take part in making the code and never occur.
	if !f.litLen.build(lengths, append(litLenSymbols[:maxLitLen:maxLitLen], 0, 0)) {
		return ErrCorrupt
	}
	f.litLen.forbid()
	lengths = f.lengths[:32]
	for i := range lengths {
		lengths[i] = 5
	}
	if !f.dist.build(lengths, append(distSymbols[:maxDist:maxDist], 0, 0)) {
		return ErrCorrupt
	}
	f.dist.forbid()
	return f.codes()
}

// forbid takes the codes out that stand for nothing.
func (t *table) forbid() {
	for i, e := range t.entries {
		if e&^0x1f == 0 {
			t.entries[i] = 0
		}
	}
}

// dynamic: RFC 1951, 3.2.7.
func (f *Inflater) dynamic() error {
	sizes, err := f.take(14)
	if err != nil {
		return err
	}
	literals, dists, codes := sizes&0x1f+257, sizes>>5&0x1f+1, sizes>>10+4
	if literals > maxLitLen || dists > maxDist {
		return ErrCorrupt
	}
	var lengths [maxCodeLen]uint8
	for _, symbol := range codeLenOrder[:codes] {
		n, err := f.take(3)
		if err != nil {
			return err
		}
		lengths[symbol] = uint8(n)
	}
	if !f.codeLen.build(lengths[:], codeLenSymbols) {
		return ErrCorrupt
	}
	if err := f.readLengths(f.lengths[:literals+dists]); err != nil {
		return err
	}
	if !f.litLen.build(f.lengths[:literals], litLenSymbols) || !f.dist.build(f.lengths[literals:literals+dists], distSymbols) {
		return ErrCorrupt
	}
	return f.codes()
}

func (f *Inflater) readLengths(list []uint8) error {
	for i := 0; i < len(list); {
		if err := f.refill(); err != nil {
			return err
		}
		e := f.codeLen.entries[f.bits&(1<<codeLenRoot-1)]
		if e == 0 {
			return f.check(e)
		}
		f.bits >>= e.bits()
		f.nbits -= int(e.bits())
		if f.nbits < 0 {
			return io.ErrUnexpectedEOF
		}
		if e.value() < 16 {
			list[i] = uint8(e.value())
			i++
			continue
		}
		value, count, extra := uint8(0), 3, 3
		switch e.value() {
		case 16:
			if i == 0 {
				return ErrCorrupt
			}
			value, extra = list[i-1], 2
		case 18:
			count, extra = 11, 7
		}
		more, err := f.take(extra)
		if err != nil {
			return err
		}
		count += more
		if count > len(list)-i {
			return ErrCorrupt
		}
		for range count {
			list[i] = value
			i++
		}
	}
	return nil
}
