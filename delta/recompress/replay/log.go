package replay

import (
	"encoding/binary"
	"io"
	"sort"
)

// A record is a match and the literals before it: from the highest byte on, how many literals,
// the match's length less 3, and its distance less 1. Where the first is noMatch, the second is a
// kind of run and the third its bytes.
type record uint32

const (
	recordSize = 4
	noMatch    = 0xff

	runLiterals = 0 // literals, more of which or a match may follow
	runOpaque   = 1 // bytes of a stored block: what the encoder decided about them is not known
)

func makeRecord(a, b, c int) record { return record(a<<24 | b<<16 | c) }

func (r record) literals() int { return int(r >> 24) }
func (r record) length() int   { return int(r>>16&0xff) + minMatch }
func (r record) distance() int { return int(r&0xffff) + 1 }

// plain is how many plain bytes a record stands for.
func (r record) plain() int {
	if r.literals() == noMatch {
		return int(r & 0xffff)
	}
	return r.literals() + r.length()
}

// Limits of a log's parts in memory.
const (
	maxMarks   = 1 << 13
	maxStreams = 1 << 10
	markEvery  = 1 << 12 // records at first; twice as many whenever there are too many marks
)

// mark is where a record stands in the plain bytes.
type mark struct{ record, plain int64 }

// stream is one of a blob's DEFLATE streams, in plain bytes.
type stream struct{ start, end int64 }

// Storage is where a log keeps its records, usually a file.
type Storage interface {
	io.Writer
	io.ReaderAt
}

// Log is the tokens of a blob's DEFLATE streams. The zero value keeps none.
type Log struct {
	store   Storage
	left    int64 // bytes that it may still take
	buf     []byte
	records int64
	at      int64 // plain bytes that the records stand for
	known   int64 // of them, those whose records are in the storage
	pending int   // literals after at
	marks   []mark
	every   int64
	streams []stream
	closed  bool // nothing more is kept
	err     error
}

// NewLog returns a log that keeps its records in s, in at most limit bytes. Tokens that find no room
// are not kept, nor are any after them: a log is a help that may be left out.
func NewLog(s Storage, limit int64) *Log {
	return &Log{store: s, left: limit, every: markEvery}
}

// find returns the stream that holds the plain bytes from at on, as far as its records are known.
func (l *Log) find(at int64) (stream, bool) {
	i := sort.Search(len(l.streams), func(i int) bool { return l.streams[i].end > at })
	if i == len(l.streams) || l.streams[i].start > at {
		return stream{}, false
	}
	s := l.streams[i]
	s.end = min(s.end, l.known)
	return s, s.end > at
}

// Close ends the log's making. The error is the storage's; the log is of no use then.
func (l *Log) Close() error {
	l.flush()
	l.closed, l.buf = true, nil
	return l.err
}

// Size returns how many bytes of the storage the log takes.
func (l *Log) Size() int64 { return l.records * recordSize }

func (l *Log) keeps() bool { return l.store != nil && !l.closed }

// begin notes that a stream begins.
func (l *Log) begin() {
	if !l.keeps() {
		return
	}
	if len(l.streams) == maxStreams {
		l.closed = true
		return
	}
	l.streams = append(l.streams, stream{start: l.at, end: l.at})
}

// finish notes that the stream has ended.
func (l *Log) finish() {
	l.runs()
	if l.keeps() {
		l.streams[len(l.streams)-1].end = l.at
	}
}

// literals notes n literals.
func (l *Log) literals(n int) { l.pending += n }

// match notes a match after n more literals.
func (l *Log) match(n, length, distance int) {
	l.pending += n
	if l.pending >= noMatch {
		l.runs()
	}
	l.put(makeRecord(l.pending, length-minMatch, distance-1))
	l.pending = 0
}

// opaque notes n bytes of which nothing is known.
func (l *Log) opaque(n int) {
	l.runs()
	l.put(makeRecord(noMatch, runOpaque, n))
}

// runs makes records of the literals that none has yet.
func (l *Log) runs() {
	for l.pending > 0 {
		n := min(l.pending, 1<<16-1)
		l.put(makeRecord(noMatch, runLiterals, n))
		l.pending -= n
	}
}

func (l *Log) put(r record) {
	if !l.keeps() {
		return
	}
	if l.records%l.every == 0 {
		l.mark()
	}
	l.records++
	l.at += int64(r.plain())
	if l.buf = binary.LittleEndian.AppendUint32(l.buf, uint32(r)); len(l.buf) >= logBuffer {
		l.flush()
	}
}

const logBuffer = 32 << 10 // bytes of records that are written at once

// mark notes where the next record stands.
func (l *Log) mark() {
	if len(l.marks) == maxMarks {
		l.every *= 2
		for i := range maxMarks / 2 {
			l.marks[i] = l.marks[2*i]
		}
		l.marks = l.marks[:maxMarks/2]
		if l.records%l.every != 0 {
			return
		}
	}
	l.marks = append(l.marks, mark{l.records, l.at})
}

func (l *Log) flush() {
	if !l.keeps() {
		return
	}
	if l.left -= int64(len(l.buf)); l.left < 0 {
		l.records -= int64(len(l.buf)) / recordSize
		l.closed = true
		return
	}
	if _, l.err = l.store.Write(l.buf); l.err != nil {
		l.closed = true
		return
	}
	l.known, l.buf = l.at, l.buf[:0]
}
