package flate

import "github.com/sallyport-dev/sallyport/delta/recompress/replay"

// ReplayLocality is when levels 4 to 9 decide alike. The window moves by half its size, and then
// strings may not go back over the place where it begins.
var ReplayLocality = replay.Locality{Period: windowSize, Aligned: true}

// player is what the compressor knows of tokens that it need not search for.
type player struct {
	source   *replay.Player // nil: nothing is known
	base     int64          // place in the stream of the window's first byte
	literals int            // to come before the match
	length   int            // of the match to come; 0: none
	offset   int
	behind   int // strings before index that are not in the table yet
}

// Replay lets the writer, of a level from 4 to 9, take tokens from r. It has to be called before the
// first Write.
func (w *Writer) Replay(r *replay.Player) { w.d.replay = player{source: r} }

func (r *player) slide() { r.base += windowSize }

// replayed queues tokens that are known from elsewhere, from index on, where a match has just ended.
// It returns false if there is none.
func (d *compressor) replayed(lookahead int) bool {
	r := &d.replay
	if r.length == 0 {
		var ok bool
		r.literals, r.length, r.offset, ok = r.source.Next(r.base + int64(d.index))
		if !ok {
			r.length = 0
			d.insertBehind()
			return false
		}
	}
	for ; r.literals > 0 && lookahead >= minMatchLength+maxMatchLength; r.literals-- {
		d.tokens = append(d.tokens, literalToken(uint32(d.window[d.index])))
		d.index++
		r.behind++
		lookahead--
		if len(d.tokens) == maxFlateBlockTokens && !d.endBlock() {
			return true
		}
	}
	if lookahead < minMatchLength+maxMatchLength {
		if d.sync {
			d.err = InternalError("input ends before what was known of it")
		}
		return true // the rest comes when the window has been filled
	}
	d.tokens = append(d.tokens, matchToken(uint32(r.length-baseMatchLength), uint32(r.offset-baseMatchOffset)))
	d.index += r.length
	r.behind += r.length
	r.length = 0
	if len(d.tokens) == maxFlateBlockTokens {
		d.endBlock()
	}
	return true
}

func (d *compressor) endBlock() bool {
	d.err = d.writeBlock(d.tokens, d.index)
	d.tokens = d.tokens[:0]
	return d.err == nil
}

// insertBehind brings the table up to where the search goes on.
func (d *compressor) insertBehind() {
	if d.replay.behind == 0 {
		return
	}
	start := max(d.index-min(d.replay.behind, windowSize), 0)
	window := d.window[start : d.index+minMatchLength-1]
	d.replay.behind = 0
	hash := uint32(window[0])<<16 | uint32(window[1])<<8 | uint32(window[2])
	for i, c := range window[minMatchLength-1:] {
		hash = hash<<8 | uint32(c)
		head := &d.hashHead[hash*hashmul>>(32-hashBits)]
		d.hashPrev[(start+i)&windowMask] = *head
		*head = uint32(start + i + d.hashOffset)
	}
}
