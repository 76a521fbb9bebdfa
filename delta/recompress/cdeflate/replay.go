package cdeflate

import (
	"errors"

	"github.com/sallyport-dev/sallyport/delta/recompress/replay"
)

// player is what a deflater knows of symbols that it need not search for.
type player struct {
	source   *replay.Player // nil: nothing is known
	base     int64          // place in the stream of the window's first byte
	literals int            // to come before the match
	length   int            // of the match to come; 0: none
	dist     int
	err      error
}

// Replay lets the writer, of a level from 4 to 9, take symbols from r. It has to be called before the
// first Write.
func (w *Writer) Replay(r *replay.Player) { w.d.replay.source = r }

// Replay is as Writer's.
func (w *PigzWriter) Replay(r *replay.Player) { w.d.replay.source = r }

// ReplayLocality is when levels 4 to 9 of Writer decide alike.
var ReplayLocality = replay.Locality{}

// PigzReplayLocality is when levels 4 to 9 of PigzWriter decide alike: what they decide about the end
// of a block depends on nothing after it.
var PigzReplayLocality = replay.Locality{Period: pigzBlock}

// replayed tallies a symbol that is known from elsewhere: a literal, or a match. It returns false if
// none is known at start, where a match has just ended.
func (d *deflater) replayed(flush bool) bool {
	r := &d.replay
	if r.length == 0 {
		var ok bool
		r.literals, r.length, r.dist, ok = r.source.Next(r.base + int64(d.start))
		if !ok {
			r.length = 0
			return false
		}
	}
	for ; r.literals > 0 && d.lookahead >= minLookahead; r.literals-- {
		d.start++
		d.lookahead--
		if d.tally(0, int(d.window[d.start-1])) {
			if r.err = d.block(false); r.err != nil {
				return true
			}
		}
	}
	if d.lookahead < minLookahead {
		if flush && len(d.input) == 0 {
			r.err = errShort
		}
		return true // the rest comes when the window has been filled
	}
	d.start++
	full := d.tally(r.dist, r.length-minMatch)
	d.start += r.length - 1
	d.lookahead -= r.length
	r.length = 0
	if full {
		r.err = d.block(false)
	}
	return true
}

// errShort says that bytes were promised to the replay that did not come.
var errShort = errors.New("cdeflate: input ends before what was known of it")
