package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/apply"
)

const (
	// headTime bounds how long a request's head may take, answerTime how long one may be at its answer, idleTime how long a connection
	// waits for the next one.
	headTime   = 5 * time.Second
	answerTime = 20 * time.Second
	idleTime   = time.Minute
	// stopTime is how long requests under way have when the page is stopped.
	stopTime = time.Second
	// maxHead and maxForm bound a request, in bytes; maxConns the connections.
	maxHead  = 16 << 10
	maxForm  = 16 << 10
	maxConns = 128
)

// Config is what a page is about.
type Config struct {
	Site *apply.Site
	// Token is what whoever acts has to know.
	Token string
	// Hosts are the values of the Host header that are answered: HOST or HOST:PORT, exactly.
	Hosts []string
	// Certificate, if set, has all travel by TLS, and nobody read without the token.
	Certificate *tls.Certificate
	// Run runs a verb of this program, and gives its words to say, line by line. Its error is what the verb failed with.
	Run func(ctx context.Context, args []string, say func(line string)) error
	Log *slog.Logger
}

// Server is the page.
type Server struct {
	cfg      Config
	texts    catalog
	pages    *pages
	sessions sessions
	state    state
	looking  sync.Mutex
	streams  streams
	work     work
	stopping chan struct{}
}

// New makes the page.
func New(cfg Config) (*Server, error) {
	texts, err := loadTexts()
	if err != nil {
		return nil, err
	}
	p, err := loadPages()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, texts: texts, pages: p, stopping: make(chan struct{})}
	s.work.changed = s.state.poke
	return s, nil
}

// Serve answers at a listener until ctx ends, and then returns nil within two seconds. A verb that the page has begun goes on.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headTime,
		ReadTimeout:       answerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	ln = limited(ln, maxConns)
	if s.cfg.Certificate != nil {
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{*s.cfg.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	watching, done := context.WithCancel(ctx)
	defer done()
	go s.watch(watching)
	select {
	case err := <-failed:
		return fmt.Errorf("the page at %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	close(s.stopping) // event streams never end by themselves: golang/go#41344
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := server.Shutdown(last); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return nil
}

// Handler answers the page's requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.reader(s.page))
	mux.HandleFunc("GET /state", s.reader(s.fragment))
	mux.HandleFunc("GET /events", s.reader(s.events))
	mux.HandleFunc("GET /style.css", s.asset)
	mux.HandleFunc("GET /page.js", s.asset)
	mux.HandleFunc("GET /login", s.login)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /language", s.language)
	mux.HandleFunc("POST /do/{what}", s.actor(s.do))
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard refuses what is asked under another name, and says what a browser may do with an answer.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(s.cfg.Hosts, strings.ToLower(r.Host)) {
			http.Error(w, "this page is not known by that name", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// reader lets those through who may read.
func (s *Server) reader(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Certificate != nil && !s.sessions.has(r) {
			s.askToken(w, r, http.StatusUnauthorized, false)
			return
		}
		next(w, r)
	}
}

// actor lets those through who may act.
func (s *Server) actor(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.sessions.has(r) {
			s.askToken(w, r, http.StatusUnauthorized, false)
			return
		}
		next(w, r)
	}
}
