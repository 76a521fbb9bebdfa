package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"
)

const (
	cookieName = "sallyport"
	// maxSessions is how many browsers may know the token at once; sessionTime how long each is believed.
	maxSessions = 64
	sessionTime = 12 * time.Hour
)

// sessions are the browsers that have shown the token. Only sums of what they hold are kept.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]time.Time // until when
}

// begin makes a session, for which the oldest makes room.
func (s *sessions) begin(now time.Time) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[[sha256.Size]byte]time.Time)
	}
	for len(s.open) >= maxSessions {
		var oldest [sha256.Size]byte
		for sum, until := range s.open {
			if at, ok := s.open[oldest]; !ok || until.Before(at) {
				oldest = sum
			}
		}
		delete(s.open, oldest)
	}
	id = rand.Text()
	s.open[sha256.Sum256([]byte(id))] = now.Add(sessionTime)
	return id
}

// has tells whether a request is a session's.
func (s *sessions) has(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.open[sha256.Sum256([]byte(c.Value))]
	return ok && time.Now().Before(until)
}

// login exchanges the token for a session. A link may bring the token, such as a QR code's.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	given := r.FormValue("token")
	if given == "" && r.Method == http.MethodGet {
		s.askToken(w, r, http.StatusOK, false)
		return
	}
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.cfg.Token))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		s.cfg.Log.Warn("web: a wrong token", "from", r.RemoteAddr)
		s.askToken(w, r, http.StatusForbidden, true)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: s.sessions.begin(time.Now()), Path: "/", HttpOnly: true,
		Secure: s.cfg.Certificate != nil, SameSite: http.SameSiteLaxMode, MaxAge: int(sessionTime.Seconds())})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
