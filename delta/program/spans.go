package program

// spanBits is enough for a span's index.
const spanBits = 19

// inOldOrder gives f the spans by where they begin in the old file, those that begin together in their order.
func inOldOrder(spans []Span, f func(s Span)) {
	withKeys(len(spans), func(order []uint64) {
		for i, s := range spans {
			order[i] = uint64(s.Old)<<spanBits | uint64(i)
		}
		sortKeys(order, spanBits, spanBits+32)
		for _, k := range order {
			f(spans[k&(1<<spanBits-1)])
		}
	})
}

// widest returns spans cut so that none overlap in the old file: where several copied the same
// bytes, the largest says where they went; the others are likely chance finds.
func widest(spans []Span) []Span {
	s := &sweep{out: make([]Span, 0, len(spans))}
	inOldOrder(spans, func(next Span) {
		s.until(next.Old)
		s.push(next)
	})
	s.until(maxAddress)
	return s.out
}

// sweep walks over the old file's offsets. It has the spans that begin before at in a heap, the largest first.
type sweep struct {
	open []Span
	at   int64
	out  []Span
}

// until emits the best spans up to an offset.
func (s *sweep) until(end int64) {
	for s.at < end {
		for len(s.open) > 0 && s.open[0].Old+s.open[0].Size <= s.at {
			s.pop()
		}
		if len(s.open) == 0 {
			s.at = end
			return
		}
		best := s.open[0]
		stop := min(end, best.Old+best.Size)
		s.emit(Span{s.at, best.New + s.at - best.Old, stop - s.at})
		s.at = stop
	}
}

func (s *sweep) emit(next Span) {
	if n := len(s.out); n > 0 {
		if last := &s.out[n-1]; last.Old+last.Size == next.Old && last.New+last.Size == next.New {
			last.Size += next.Size
			return
		}
	}
	s.out = append(s.out, next)
}

// wider tells whether a span comes before another one.
func wider(a, b *Span) bool { return a.Size > b.Size || a.Size == b.Size && a.New < b.New }

func (s *sweep) push(next Span) {
	i := len(s.open)
	s.open = append(s.open, next)
	for i > 0 && wider(&s.open[i], &s.open[(i-1)/2]) {
		s.open[i], s.open[(i-1)/2] = s.open[(i-1)/2], s.open[i]
		i = (i - 1) / 2
	}
}

// pop takes the first span away.
func (s *sweep) pop() {
	n := len(s.open) - 1
	s.open[0] = s.open[n]
	s.open = s.open[:n]
	for i := 0; ; {
		next := i
		for child := 2*i + 1; child <= 2*i+2 && child < n; child++ {
			if wider(&s.open[child], &s.open[next]) {
				next = child
			}
		}
		if next == i {
			return
		}
		s.open[i], s.open[next] = s.open[next], s.open[i]
		i = next
	}
}

// stretch is how many bytes of the old file lie between places where the number of spans is known.
const stretch = 1 << 12

// indexSpans counts the spans that begin before each stretch, where they are many.
func (p *Program) indexSpans() {
	p.upTo = nil
	if int64(len(p.byOld)) < p.Size/stretch/16 {
		return
	}
	p.upTo = make([]int32, p.Size/stretch+2)
	for _, s := range p.byOld {
		p.upTo[s.Old/stretch+1]++
	}
	for i := range p.upTo[1:] {
		p.upTo[i+1] += p.upTo[i]
	}
}

// nearest returns which of spans n-1 and n tells of what lies between them: the larger one.
func (p *Program) nearest(n int) Span {
	s := p.byOld[max(0, n-1)]
	if n > 0 && n < len(p.byOld) && p.byOld[n].Size > s.Size {
		s = p.byOld[n]
	}
	return s
}

// spansUpTo returns how many spans of byOld begin at an offset of the old file or before it.
func (p *Program) spansUpTo(at int64) int {
	first, end := 0, len(p.byOld)
	if i := at / stretch; at >= 0 && i < int64(len(p.upTo))-1 {
		first, end = int(p.upTo[i]), int(p.upTo[i+1])
	}
	for first < end {
		middle := int(uint(first+end) / 2)
		if p.byOld[middle].Old <= at {
			first = middle + 1
		} else {
			end = middle
		}
	}
	return first
}

// Moved returns the old file with the references in its tables as they will be where the spans put
// them, and those in its code blanked out: what is equal to the masked new file then differs in
// nothing that cannot be projected. Offsets stay those of the old file.
func (p *Program) Moved(exact bool) ([]byte, error) {
	if p.view = blank; exact {
		p.view = targets
	}
	defer func() { p.view = projected }()
	moved := make([]byte, 0, p.Size)
	add := func(b []byte) error {
		moved = append(moved, b...)
		return nil
	}
	shift := int64(0)
	for i := 0; i <= len(p.byOld); i++ {
		gap := p.Size
		if i < len(p.byOld) {
			gap = p.byOld[i].Old
			if i == 0 || p.byOld[i].Size > p.byOld[i-1].Size {
				shift = p.byOld[i].New - p.byOld[i].Old
			}
		}
		at := int64(len(moved))
		if err := p.Copy(at, at+shift, gap-at, add); err != nil {
			return nil, err
		}
		if i < len(p.byOld) {
			s := p.byOld[i]
			shift = s.New - s.Old
			if err := p.Copy(s.Old, s.New, s.Size, add); err != nil {
				return nil, err
			}
		}
	}
	return moved, nil
}
