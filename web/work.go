package web

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// maxLines is how many of a verb's words are kept, maxReason how long a freeze's reason may be.
const (
	maxLines  = 200
	maxReason = 200
)

// workState is the verb that this page has begun last.
type workState struct {
	Running bool
	Verb    string // empty: none was begun yet
	Lines   []string
	Failed  string // why it did not come to what it was to
	Began   time.Time
	Ended   time.Time
}

// work runs one verb at a time.
type work struct {
	mu      sync.Mutex
	state   workState
	changed func()
}

func (w *work) now() workState {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.state
	st.Lines = slices.Clone(st.Lines)
	return st
}

// begin starts a verb, unless one of ours runs; whoever else is at work on the site refuses it by the site's lock.
func (w *work) begin(verb string, run func(say func(string)) error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.Running {
		return false
	}
	w.state = workState{Running: true, Verb: verb, Began: time.Now()}
	go func() {
		err := run(w.say)
		w.mu.Lock()
		w.state.Running, w.state.Ended = false, time.Now()
		if err != nil {
			w.state.Failed = err.Error()
		}
		w.mu.Unlock()
		w.changed()
	}()
	return true
}

func (w *work) say(line string) {
	w.mu.Lock()
	w.state.Lines = append(w.state.Lines, line)
	if n := len(w.state.Lines); n > maxLines {
		w.state.Lines = slices.Clone(w.state.Lines[n-maxLines:])
	}
	w.mu.Unlock()
	w.changed()
}

// do begins what a form asks for, and leads back to the page.
func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	args, ok := s.verb(r)
	if !ok {
		http.Error(w, "this is nothing that can be done here, or not any more: go back and look", http.StatusBadRequest)
		return
	}
	// What is begun goes on when the request is over, and when the page is stopped.
	ctx := context.WithoutCancel(r.Context())
	if !s.work.begin(args[0], func(say func(string)) error { return s.cfg.Run(ctx, args, say) }) {
		http.Error(w, "another one is at work: go back and wait until it has ended", http.StatusConflict)
		return
	}
	s.cfg.Log.Info("web: begun", "verb", args[0], "from", r.RemoteAddr)
	s.state.poke()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// verb is what a form asks for. Names of files are those that the page has offered, and no others.
func (s *Server) verb(r *http.Request) (args []string, ok bool) {
	switch r.PathValue("what") {
	case "apply":
		want := r.FormValue("bundle")
		for _, stick := range s.cfg.Site.Sticks() {
			for _, name := range stick.Bundles {
				if path := filepath.Join(stick.Folder, name); path == want {
					return []string{"apply", path}, true
				}
			}
		}
		return nil, false
	case "staged":
		return []string{"apply", "--staged"}, true
	case "rollback":
		return []string{"rollback"}, r.FormValue("sure") == "yes"
	case "freeze":
		reason := []rune(r.FormValue("reason"))
		return []string{"freeze", "--reason=" + string(reason[:min(len(reason), maxReason)])}, true
	case "unfreeze":
		return []string{"unfreeze"}, true
	}
	return nil, false
}
