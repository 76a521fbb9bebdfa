package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/check"
)

//go:embed assets/*
var assets embed.FS

// pages are the page's templates.
type pages struct{ t *template.Template }

func loadPages() (*pages, error) {
	t, err := template.ParseFS(assets, "assets/*.html")
	return &pages{t}, err
}

// view is what the templates show.
type view struct {
	writer
	Site   string
	Labels map[string]string
	Acts   bool // this browser has shown the token
	Live   bool // it follows by itself, and does not have to say of when it is
	State  template.HTML
	Names  []struct{ Tag, Name string }
	Wrong  bool // the token was
	*look
}

// The look's parts, for templates.
func (l *look) Status() *apply.Status { return l.status }
func (l *look) Room() apply.Room      { return l.room }
func (l *look) Sticks() []apply.Stick { return l.sticks }
func (l *look) Work() workState       { return l.work }
func (l *look) At() time.Time         { return l.at }

// Recent are the last attempts, newest first.
func (l *look) Recent() []apply.Attempt {
	all := slices.Clone(l.recent)
	slices.Reverse(all)
	return all
}

// Checks are those of the last attempt.
func (l *look) Checks() []check.Result {
	if l.status == nil || l.status.LastAttempted == nil {
		return nil
	}
	return l.status.LastAttempted.Checks
}

// Busy tells whether a sallyport works on the site.
func (l *look) Busy() bool {
	return l.work.Running || l.status != nil && l.status.Health != nil && l.status.Busy != ""
}

// Failed is why the site could not be looked at.
func (l *look) Failed() string {
	if l.err == nil {
		return ""
	}
	return l.err.Error()
}

func (s *Server) view(r *http.Request) view {
	cfg := s.cfg.Site.Config()
	return view{writer: writer{s.texts, s.languageOf(r)}, Site: cfg.Metadata.Name, Labels: cfg.Metadata.Labels,
		Acts: s.sessions.has(r), Names: s.texts.names()}
}

// page answers the whole page.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	v := s.view(r)
	v.State = template.HTML(s.render(s.fresh(r.Context()), v.lang, v.Acts, false)) //nolint:gosec // a template of ours has escaped it
	s.answer(w, http.StatusOK, "page.html", v)
}

// fragment answers the part of the page that changes.
func (s *Server) fragment(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(s.render(s.fresh(r.Context()), s.languageOf(r), s.sessions.has(r), false))) // whoever has gone wants nothing
}

// askToken answers with the form for the token.
func (s *Server) askToken(w http.ResponseWriter, r *http.Request, status int, wrong bool) {
	v := s.view(r)
	v.Wrong = wrong
	if s.cfg.Certificate != nil {
		v.Site, v.Labels = "", nil // nobody gets to know more than that this is sallyport
	}
	s.answer(w, status, "login.html", v)
}

func (s *Server) answer(w http.ResponseWriter, status int, name string, v view) {
	var b bytes.Buffer
	if err := s.pages.t.ExecuteTemplate(&b, name, v); err != nil {
		s.cfg.Log.Error("web: a template", "error", err)
		http.Error(w, "this page is broken", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// render makes the part of the page that changes.
func (s *Server) render(l *look, lang string, acts, live bool) string {
	var b bytes.Buffer
	v := view{writer: writer{s.texts, lang}, Site: s.cfg.Site.Config().Metadata.Name, Acts: acts, Live: live, look: l}
	if err := s.pages.t.ExecuteTemplate(&b, "state.html", v); err != nil {
		s.cfg.Log.Error("web: a template", "error", err)
	}
	return b.String()
}

// asset answers a file of the page's own.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	_, _ = w.Write(b)
}

// sentence is a text and what goes into it.
type sentence struct {
	key  string
	args []any
	// detail is what the program says of it, in English.
	detail string
	mood   string // good, busy or bad: what the page's colour shows beside the words
}

// Next says in one sentence what to do, or that nothing is to be done.
func (v view) Next() sentence {
	st := v.look.status
	switch {
	case st == nil:
		return sentence{key: "next.unreadable", detail: v.Failed(), mood: "bad"}
	case v.Busy():
		return sentence{key: "next.busy", mood: "busy"}
	case st.NeedsPerson:
		return sentence{key: "next.person", detail: st.Person, mood: "bad"}
	case st.Boot != nil && st.Boot.RebootDue:
		return sentence{key: "next.reboot", mood: "busy"}
	case st.Attempt != nil && st.Phase != apply.Written:
		return sentence{key: "next.unfinished", mood: "busy"}
	case st.Current == nil && st.Staged == nil:
		return sentence{key: "next.first", mood: "busy"}
	case st.Staged != nil && st.Phase == apply.Written:
		return v.staged(st)
	case st.LastAttempted != nil && st.LastAttempted.Reason != "" && st.Current != nil:
		return sentence{key: "next.failed", args: []any{st.LastAttempted.Version, st.Current.String()}, detail: st.LastAttempted.Reason, mood: "bad"}
	case st.Frozen:
		return sentence{key: "next.frozen", detail: st.Freeze.String(), mood: "busy"}
	}
	return sentence{key: "next.well", mood: "good"}
}

// staged says what a release waits for.
func (v view) staged(st *apply.Status) sentence {
	what := []any{st.Staged.String()}
	switch {
	case st.Held:
		return sentence{key: "next.held", args: what, mood: "busy"}
	case st.Frozen:
		return sentence{key: "next.stagedfrozen", args: what, detail: st.Freeze.String(), mood: "busy"}
	case st.NextWindow != nil && !st.WindowOpen:
		return sentence{key: "next.window", args: append(what, st.NextWindow.Format("2006-01-02 15:04 MST")), mood: "good"}
	}
	return sentence{key: "next.staged", args: what, mood: "busy"}
}

// Say is the sentence in the view's language.
func (v view) Say(s sentence) string { return v.T(s.key, s.args...) }

// Mood is what its colour shows.
func (s sentence) Mood() string { return s.mood }

// Detail is what the program says of it, in English; empty if nothing.
func (s sentence) Detail() string { return s.detail }

// Size is a number of bytes, as people read it.
func (writer) Size(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	return fmt.Sprintf("%.3g %s", f, unit)
}
