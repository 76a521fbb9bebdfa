package cdeflate

import (
	"encoding/binary"
	"slices"
)

// run compresses until the window needs more input, or, at a flush, until all input is coded.
func (d *deflater) run(flush bool) error {
	if d.fast {
		return d.runFast(flush)
	}
	return d.runSlow(flush)
}

// ready tells whether there is a string to look at.
func (d *deflater) ready(flush bool) bool {
	if d.lookahead >= minLookahead {
		return true
	}
	if !flush && len(d.input) < chunk {
		return false
	}
	d.fill()
	return d.lookahead > 0
}

// inTable tells whether the string at start can go into the table.
func (d *deflater) inTable() bool { return d.lookahead >= minMatch || d.flavor == GNU }

// runFast is for levels 1 to 3: a match is taken as soon as there is one.
func (d *deflater) runFast(flush bool) error {
	for d.ready(flush) {
		candidate := 0
		if d.inTable() {
			candidate = d.chained()
		}
		if candidate != 0 && d.start-candidate <= maxDist {
			d.length = d.longest(candidate)
		}
		var full bool
		if d.length >= minMatch {
			full = d.tally(d.start-d.matchStart, d.length-minMatch)
			d.skipMatch()
		} else {
			full = d.tally(0, int(d.window[d.start]))
			d.lookahead--
			d.start++
		}
		if full {
			if err := d.block(false); err != nil {
				return err
			}
		}
	}
	return nil
}

// skipMatch goes past a match; the strings in short ones go into the table.
func (d *deflater) skipMatch() {
	d.lookahead -= d.length
	d.start += d.length
	if d.length > d.lazy || !d.inTable() {
		d.next = d.start
	}
	d.length = 0
}

// runSlow is for levels 4 to 9: a match waits for whether the next byte has a better one.
func (d *deflater) runSlow(flush bool) error {
	for d.ready(flush) {
		if d.replay.source != nil && !d.available && d.replayed(flush) {
			if err := d.replay.err; err != nil {
				return err
			}
			continue
		}
		d.prevLength, d.prevMatch, d.length = d.length, d.matchStart, minMatch-1
		candidate := 0
		if d.prevLength < d.lazy && d.inTable() {
			candidate = d.chained()
		}
		if candidate != 0 && d.start-candidate <= maxDist {
			if d.deep != nil && d.lookahead >= minLookahead {
				d.length = d.deepest(candidate)
			} else {
				d.length = d.longest(candidate)
			}
			if d.length == minMatch && d.start-d.matchStart > tooFar {
				d.length = minMatch - 1
			}
		}
		full := false
		switch {
		case d.prevLength >= minMatch && d.length <= d.prevLength:
			full = d.takePrevious()
		case d.available:
			full = d.tally(0, int(d.window[d.start-1]))
			if full {
				if err := d.block(false); err != nil {
					return err
				}
				full = false
			}
			d.start++
			d.lookahead--
		default:
			d.available = true
			d.start++
			d.lookahead--
		}
		if full {
			if err := d.block(false); err != nil {
				return err
			}
		}
	}
	return nil
}

// takePrevious takes the match at the byte before.
func (d *deflater) takePrevious() bool {
	full := d.tally(d.start-1-d.prevMatch, d.prevLength-minMatch)
	d.lookahead -= d.prevLength - 1
	d.start += d.prevLength - 1
	d.available, d.length = false, minMatch-1
	return full
}

// drain codes all input. At the end of the stream the last block says so.
func (d *deflater) drain(final bool) error {
	d.final = final
	if err := d.run(true); err != nil {
		return err
	}
	if d.available {
		d.tally(0, int(d.window[d.start-1]))
		d.available = false
	}
	if final || d.count > 0 {
		return d.block(final)
	}
	return nil
}

// block writes the symbols so far as a block: stored, with the fixed trees or with its own.
func (d *deflater) block(final bool) error {
	d.countSymbols()
	bitLengths := d.trees.finish()
	last := uint32(0)
	if final {
		last = 1
	}
	own, static := (d.trees.optLen+3+7)>>3, (d.trees.staticLen+3+7)>>3
	least := min(own, static)
	size := d.start - d.blockStart
	switch {
	case uint32(size)+4 <= least && d.blockStart >= 0:
		d.stored(d.window[d.blockStart:d.start], last)
	case static == least:
		d.bits.put(1<<1|last, 3)
		d.write(fixed.literal[:], fixed.dist[:])
	default:
		d.bits.put(2<<1|last, 3)
		d.trees.writeTrees(&d.bits, bitLengths)
		d.write(d.trees.literal.nodes, d.trees.dist.nodes)
	}
	d.beginBlock()
	d.blockStart = d.start
	if final {
		d.bits.align()
	}
	return d.bits.flush(d.w)
}

func (d *deflater) stored(b []byte, last uint32) {
	d.bits.put(last, 3)
	d.bits.align()
	d.bits.put(uint32(len(b)), 16)
	d.bits.put(^uint32(len(b))&0xffff, 16)
	d.bits.out = append(d.bits.out, b...)
}

// write codes the symbols. At most 7 bits wait when one of at most 48 is added.
func (d *deflater) write(literal, dist []node) {
	w := &d.bits
	w.out = slices.Grow(w.out, 6*d.count+8)
	out, n, bits, valid := w.out[:cap(w.out)], len(w.out), w.bits, w.valid
	for _, s := range d.symbols[:d.count] {
		if s.dist() == 0 {
			c := &literal[s.length()]
			bits |= uint64(c.code) << (valid & 63)
			valid += uint(c.length)
		} else {
			code := fixed.lengthCode[s.length()]
			c := &literal[int(code)+literals+1]
			bits |= (uint64(c.code) | uint64(uint16(s.length())-fixed.baseLength[code])<<(c.length&63)) << (valid & 63)
			valid += uint(c.length) + uint(extraLength[code])
			c = &dist[s.code()]
			bits |= (uint64(c.code) | uint64(uint16(s.dist()-1)-fixed.baseDist[s.code()])<<(c.length&63)) << (valid & 63)
			valid += uint(c.length) + uint(extraDist[s.code()])
		}
		binary.LittleEndian.PutUint64(out[n:], bits)
		n += int(valid >> 3)
		bits >>= valid &^ 7 & 63
		valid &= 7
	}
	*w = bitWriter{out[:n], bits, valid}
	end := &literal[endBlock]
	w.put(uint32(end.code), uint(end.length))
}
