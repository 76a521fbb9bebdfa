package web

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// maxStreams is how many streams one client may hold: a browser gives a server six connections. maxAllStreams is for all.
	maxStreams    = 4
	maxAllStreams = 32
	// heartbeat keeps proxies from taking a still stream for a dead one.
	heartbeat = 15 * time.Second
	// sendTime is how long a browser may take none of an event.
	sendTime = 10 * time.Second
)

// streams are the open event streams, oldest first.
type streams struct {
	mu   sync.Mutex
	open []*stream
}

type stream struct {
	client string
	over   chan struct{} // closed when another one needs its place
}

// begin adds a stream. The client's oldest one makes room where it has too many, and the oldest of all where all have.
func (s *streams) begin(client string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of []*stream
	for _, other := range s.open {
		if other.client == client {
			of = append(of, other)
		}
	}
	switch {
	case len(of) >= maxStreams:
		s.drop(of[0])
	case len(s.open) >= maxAllStreams:
		s.drop(s.open[0])
	}
	st := &stream{client: client, over: make(chan struct{})}
	s.open = append(s.open, st)
	return st
}

// end takes a stream out that has ended by itself.
func (s *streams) end(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(st)
}

func (s *streams) drop(st *stream) {
	for i, other := range s.open {
		if other == st {
			s.open = append(s.open[:i], s.open[i+1:]...)
			close(st.over)
			return
		}
	}
}

func (s *streams) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) > 0
}

// events sends the page's state whenever it has changed.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr
	}
	st := s.streams.begin(client)
	defer s.streams.end(st)
	s.state.poke()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request has been read
	send := func(text string) bool {
		if control.SetWriteDeadline(time.Now().Add(sendTime)) != nil {
			return false
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	lang := s.languageOf(r)
	acts := s.sessions.has(r)
	if !send("retry: 2000\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	shown := ""
	for {
		view, changed := s.state.last()
		if view != nil {
			if html := s.render(view, lang, acts, true); html != shown {
				if !send(event("state", html)) {
					return
				}
				shown = html
			}
		}
		select {
		case <-changed:
		case <-beat.C:
			if !send(": \n\n") {
				return
			}
		case <-st.over:
			send(event("full", "another page has the place of this one"))
			return
		case <-s.stopping:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// lines makes a line of an event's of each line of its data, whatever ends them.
var lines = strings.NewReplacer("\r\n", "\ndata: ", "\r", "\ndata: ", "\n", "\ndata: ")

// event is one in the form that browsers read.
func event(name, data string) string {
	return fmt.Sprintf("event: %s\ndata: %s\n\n", name, lines.Replace(data))
}
