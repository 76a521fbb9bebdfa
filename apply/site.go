package apply

import (
	"io"
	"path/filepath"
	"sync"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// Site is one site. Its methods are the verbs; each may be called from one goroutine at a time, and processes are kept
// apart by the site's lock.
type Site struct {
	cfg  Config
	deps Deps

	observing sync.Mutex
}

// New returns a site with the given parts. Open returns one with the real parts.
func New(cfg *Config, deps Deps) *Site { return &Site{cfg: *cfg, deps: deps} }

// Config returns the site's configuration.
func (s *Site) Config() Config { return s.cfg }

// Input is a bundle that nobody has looked at yet.
type Input struct {
	Name string // the file, for messages
	Size int64  // bytes, for progress; 0 if unknown
	io.Reader
}

func (s *Site) path(name string) string { return filepath.Join(s.cfg.Spec.State, name) }

func (s *Site) journalPath() string  { return s.path("state.json") }
func (s *Site) historyPath() string  { return s.path("history.jsonl") }
func (s *Site) evidencePath() string { return s.path("evidence.json") }
func (s *Site) slotsPath() string    { return s.path("slots") }
func (s *Site) tempPath() string     { return s.path("tmp") }

// Slots opens the two slots for reading: what they hold must stay in the mirror.
func (s *Site) Slots() *slot.Store { return slot.View(s.slotsPath()) }
