package program

import (
	"encoding/binary"
	"slices"
)

// The bases of GoBuckets, from the region's first on.
const (
	goBuckets    = iota // the region itself, runtime.findfunctab
	goMinPC             // where the first function begins
	goMaxPC             // where the last one ends
	goFuncTab           // functab: pairs of a function's beginning, from text, and its record
	goFuncTabEnd        // where its last pair ends
	goBucketText        // where code begins
	goBucketsBases
)

// A bucket holds the index of the function at its first address, and for each of its parts how many
// functions further the one at the part's first address is.
const (
	goPart        = 256 // addresses
	goParts       = 16  // of a bucket
	goBucketSize  = 4 + goParts
	goMaxBuckets  = 1 << 17
	goMaxIndexed  = 1 << 19 // functions
	goTabEntry    = 8
	goUnknownFunc = -1
)

// makeBuckets makes the new file's buckets where spans and moves put functions.
func (p *Program) makeBuckets() error {
	p.buckets = nil
	for _, r := range p.Regions {
		if r.Kind == GoBuckets {
			return p.goBuckets(r)
		}
	}
	return nil
}

// goBuckets makes runtime.findfunctab of the new file, as cmd/link does, out of where the old file's
// functions went.
func (p *Program) goBuckets(r Region) error {
	minPC, maxPC := p.Bases[r.Base+goMinPC].New, p.Bases[r.Base+goMaxPC].New
	count := (p.Bases[r.Base+goFuncTabEnd].New - p.Bases[r.Base+goFuncTab].New) / goTabEntry
	parts := (maxPC - minPC + goPart - 1) / goPart
	if count <= 0 || count > goMaxIndexed || parts <= 0 || parts > goMaxBuckets*goParts {
		return nil
	}
	entries, err := p.newFunctions(r, count)
	if err != nil {
		return err
	}
	index := make([]int32, parts)
	for i := range index {
		index[i] = -1
	}
	for i, entry := range entries {
		end := maxPC - minPC
		if i+1 < len(entries) {
			end = entries[i+1]
		}
		for part := max(0, entry/goPart); part <= (end-1)/goPart && part < parts; part++ {
			if index[part] < 0 {
				index[part] = int32(i)
			}
		}
	}
	p.buckets = packBuckets(index)
	return nil
}

// packBuckets writes which function each part begins with.
func packBuckets(index []int32) []byte {
	b := make([]byte, 0, (len(index)+goParts-1)/goParts*4+len(index))
	for bucket := range slices.Chunk(index, goParts) {
		b = binary.LittleEndian.AppendUint32(b, uint32(bucket[0]))
		for _, i := range bucket {
			b = append(b, byte(i-bucket[0]))
		}
	}
	return b
}

// newFunctions returns where the new file's functions begin, from the first one on, in ascending
// order. Spans tell which old function a new one was; others are taken to be of equal size.
func (p *Program) newFunctions(r Region, count int64) ([]int64, error) {
	entries := make([]int64, count)
	for i := range entries {
		entries[i] = goUnknownFunc
	}
	old, ok := offset(p.OldLoads, p.Bases[r.Base+goFuncTab].Old)
	new, known := offset(p.NewLoads, p.Bases[r.Base+goFuncTab].New)
	if !ok || !known || old < 0 || new < 0 {
		return entries, nil
	}
	size := min(p.Bases[r.Base+goFuncTabEnd].Old-p.Bases[r.Base+goFuncTab].Old, p.Size-old)
	t := p.table(old, max(0, size))
	for _, s := range p.Spans {
		for i := max(0, (s.New-new+goTabEntry-1)/goTabEntry); i < count && new+i*goTabEntry+4 <= s.New+s.Size; i++ {
			at := s.Old + new + i*goTabEntry - s.New - old
			if at < 0 || at > size-4 {
				continue
			}
			if moved, ok := p.Target(p.Bases[r.Base+goBucketText].Old + int64(t.uint32(at))); ok {
				entries[i] = max(0, moved-p.Bases[r.Base+goMinPC].New)
			}
		}
	}
	fillFunctions(entries, p.Bases[r.Base+goMaxPC].New-p.Bases[r.Base+goMinPC].New)
	return entries, t.err
}

// ascending sets all entries to unknown but the most that can be in ascending order.
func ascending(entries []int64) {
	ends := make([]int32, 0, len(entries)) // of the best sequence of each length, its last index
	before := make([]int32, len(entries))
	for i, entry := range entries {
		if entry == goUnknownFunc {
			continue
		}
		n := len(ends)
		if n > 0 && entry < entries[ends[n-1]] {
			n, _ = slices.BinarySearchFunc(ends, entry+1, func(k int32, v int64) int { return compare(entries[k], v) })
		}
		if before[i] = -1; n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, 0)
		}
		ends[n] = int32(i)
	}
	next := int32(-1)
	if len(ends) > 0 {
		next = ends[len(ends)-1]
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if int32(i) == next {
			next = before[i]
		} else {
			entries[i] = goUnknownFunc
		}
	}
}

// fillFunctions puts functions whose place is not known between those before and after them.
func fillFunctions(entries []int64, end int64) {
	ascending(entries)
	last, at := -1, int64(0)
	for i := 0; i <= len(entries); i++ {
		next := end
		if i < len(entries) {
			next = entries[i]
		}
		if next == goUnknownFunc {
			continue
		}
		for k := last + 1; k < i; k++ {
			entries[k] = at + (next-at)*int64(k-last)/int64(i-last)
		}
		last, at = i, next
	}
}

// projectBuckets puts the new file's buckets into a window.
func (p *Program) projectBuckets(r *Region, w *window) int {
	at := w.to - p.Bases[r.Base+goBuckets].New
	if at >= 0 && at < int64(len(p.buckets)) {
		copy(w.b[:w.n], p.buckets[at:])
	}
	return w.n
}
