package web

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/apply"
)

const (
	// glanceEvery is how often the time stamps of the site's state are looked at while somebody watches, and lookEvery how often the
	// whole site is, although these have not changed.
	glanceEvery = time.Second
	lookEvery   = 15 * time.Second
	// lookPause is how long nobody looks after a look.
	lookPause = 200 * time.Millisecond
	// lookTime bounds a look: mirror and target may not answer.
	lookTime = 10 * time.Second
)

// look is the site as it was found.
type look struct {
	status *apply.Status
	recent []apply.Attempt // oldest first
	sticks []apply.Stick
	room   apply.Room
	err    error
	at     time.Time
	stamp  string
	work   workState
}

// state is the last look, for all who watch.
type state struct {
	mu      sync.Mutex
	current *look
	changed chan struct{} // closed at the next change
	wanted  chan struct{} // somebody wants a look
}

func (s *state) channels() (changed, wanted chan struct{}) {
	if s.changed == nil {
		s.changed, s.wanted = make(chan struct{}), make(chan struct{}, 1)
	}
	return s.changed, s.wanted
}

// poke asks for a look now.
func (s *state) poke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, wanted := s.channels()
	select {
	case wanted <- struct{}{}:
	default: // one is asked for already
	}
}

// last is the last look, nil before the first, and what is closed when there is another one.
func (s *state) last() (*look, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, _ := s.channels()
	return s.current, changed
}

func (s *state) set(l *look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, _ := s.channels()
	s.current, s.changed = l, make(chan struct{})
	close(changed)
}

// watch looks at the site while somebody watches, and sleeps while nobody does.
func (s *Server) watch(ctx context.Context) {
	s.state.mu.Lock()
	_, wanted := s.state.channels()
	s.state.mu.Unlock()
	for {
		var again <-chan time.Time
		if s.streams.any() {
			again = time.After(glanceEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-wanted:
		case <-again:
			if l, _ := s.state.last(); !s.streams.any() || l != nil && l.stamp == s.cfg.Site.Stamp() && time.Since(l.at) < lookEvery {
				continue
			}
		}
		s.state.set(s.look(ctx))
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookPause): // a verb may say much at once
		}
	}
}

// look finds how the site is. While a verb is at work its journal is read alone: mirror and target have enough to do.
func (s *Server) look(ctx context.Context) *look {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	l := &look{at: time.Now(), stamp: s.cfg.Site.Stamp(), sticks: s.cfg.Site.Sticks(), room: s.cfg.Site.Room(), work: s.work.now()}
	if s.cfg.Site.Busy() {
		l.status, l.err = s.cfg.Site.Status()
		if l.err == nil {
			l.status.Health = &apply.Health{Busy: "sallyport"}
		}
	} else {
		l.status, l.err = s.cfg.Site.Look(ctx)
	}
	if h, err := s.cfg.Site.History(); err == nil {
		l.recent = h.Attempts[max(len(h.Attempts)-10, 0):]
	}
	return l
}

// fresh is a look that is no older than a moment, for whoever has no stream. What this page has begun itself is always told.
func (s *Server) fresh(ctx context.Context) *look {
	s.looking.Lock() // many who ask at once are answered by one look
	defer s.looking.Unlock()
	if l, _ := s.state.last(); l != nil && time.Since(l.at) < glanceEvery {
		now := *l
		now.work = s.work.now()
		return &now
	}
	l := s.look(ctx)
	s.state.set(l)
	return l
}
