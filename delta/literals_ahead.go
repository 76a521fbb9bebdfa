package delta

import (
	"errors"
	"io"
	"sync"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// literalsAhead decodes mixed literals in a goroutine of its own, as soon as it is known what they replace: of a
// program's, when its steps are. Whoever writes them takes them when they are needed.
type literalsAhead struct {
	s       *streams
	started bool

	lock  sync.Mutex
	queue []mixedLiteral // added and not begun yet
	whole bool           // no more come
	out   []byte         // decoded
	taken int            // of out
	err   error          // io.EOF: everything is decoded

	more, came, room chan struct{} // something was added, decoded, taken
}

// mixedLiteral is a literal and what it replaces.
type mixedLiteral struct {
	id      streamID
	n       int64
	src     *source
	address int64
}

// literalBytes is how many bytes are decoded ahead.
const literalBytes = 256 << 10

func newLiteralsAhead(s *streams) *literalsAhead {
	signal := func() chan struct{} { return make(chan struct{}, 1) }
	return &literalsAhead{s: s, more: signal(), came: signal(), room: signal()}
}

// change changes what the lock guards, and wakes whoever waits for that.
func (l *literalsAhead) change(signal chan struct{}, to func()) {
	l.lock.Lock()
	to()
	l.lock.Unlock()
	select {
	case signal <- struct{}{}:
	default:
	}
}

// add takes the next literal of n bytes of a stream, which replace those of a source at an address. It returns false if it
// is not among the mixed ones.
func (l *literalsAhead) add(id streamID, n int64, src *source, address int64) bool {
	if !l.s.literals.fit(id, n, l.s.literals.left) {
		return false
	}
	l.s.literals.left -= n
	l.change(l.more, func() { l.queue = append(l.queue, mixedLiteral{id, n, src, address}) })
	if !l.started {
		l.started = true
		l.s.running.Go(func() {
			err := l.decode()
			l.change(l.came, func() { l.err = err })
		})
	}
	return true
}

// decode decodes what is added until there is no more.
func (l *literalsAhead) decode() error {
	var list []mixedLiteral
	buf := make([]byte, mix.Chunk)
	for {
		if len(list) == 0 {
			var err error
			if list, err = l.take(); err != nil {
				return err
			}
		}
		x := list[0]
		list = list[1:]
		l.s.literals.begin(x.id, x.src, x.address)
		for left := x.n; left > 0; {
			b := buf[:min(left, mix.Chunk)]
			if err := l.s.literals.read(b); err != nil {
				return err
			}
			if err := l.put(b); err != nil {
				return err
			}
			left -= int64(len(b))
		}
	}
}

// take takes what was added, and waits for it.
func (l *literalsAhead) take() ([]mixedLiteral, error) {
	for {
		l.lock.Lock()
		list, whole := l.queue, l.whole
		l.queue = nil
		l.lock.Unlock()
		if len(list) > 0 {
			return list, nil
		}
		if whole {
			return nil, io.EOF
		}
		select {
		case <-l.more:
		case <-l.s.stop:
			return nil, io.ErrClosedPipe
		}
	}
}

// put passes decoded bytes on, and waits until there is room for them.
func (l *literalsAhead) put(b []byte) error {
	for {
		done := false
		l.change(l.came, func() {
			if l.taken > literalBytes/2 {
				l.out, l.taken = append(l.out[:0], l.out[l.taken:]...), 0
			}
			if done = len(l.out)-l.taken < literalBytes; done {
				l.out = append(l.out, b...)
			}
		})
		if done {
			return nil
		}
		select {
		case <-l.room:
		case <-l.s.stop:
			return io.ErrClosedPipe
		}
	}
}

// next fills b with the next bytes, which have been added, and waits for them.
func (l *literalsAhead) next(b []byte) error {
	for len(b) > 0 {
		n := 0
		var err error
		l.change(l.room, func() {
			n = copy(b, l.out[l.taken:])
			if l.taken += n; l.taken == len(l.out) {
				l.out, l.taken = l.out[:0], 0
			}
			err = l.err
		})
		switch b = b[n:]; {
		case n > 0:
		case err != nil:
			return err
		default:
			<-l.came
		}
	}
	return nil
}

// end waits until everything that was added is decoded. It has to have been taken.
func (l *literalsAhead) end() error {
	l.change(l.more, func() { l.whole = true })
	if !l.started {
		return nil
	}
	if err := l.next(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
