package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed texts/*.json
var textFiles embed.FS

// languages are those of the texts, the first one for whoever reads none of them.
var languages = []language.Tag{language.English, language.German, language.Spanish, language.Hungarian}

const languageCookie = "language"

// catalog has the page's texts by language and key. A text may have verbs of package fmt.
type catalog map[string]map[string]string

func loadTexts() (catalog, error) {
	c := catalog{}
	for _, tag := range languages {
		b, err := textFiles.ReadFile("texts/" + tag.String() + ".json")
		if err != nil {
			return nil, err
		}
		texts := map[string]string{}
		if err := json.Unmarshal(b, &texts); err != nil {
			return nil, fmt.Errorf("texts of %s: %w", tag, err)
		}
		c[tag.String()] = texts
	}
	return c, nil
}

// text is a text in a language.
func (c catalog) text(lang, key string, args ...any) string {
	t, ok := c[lang][key]
	if !ok {
		return key // a test sees to it that there is none such
	}
	if len(args) == 0 {
		return t
	}
	return fmt.Sprintf(t, args...)
}

// languageOf is what a browser wants to read, or what a person has chosen in it.
func (s *Server) languageOf(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil {
		if _, ok := s.texts[c.Value]; ok {
			return c.Value
		}
	}
	_, i := language.MatchStrings(language.NewMatcher(languages), r.Header.Get("Accept-Language"))
	return languages[i].String()
}

// language keeps what a person has chosen.
func (s *Server) language(w http.ResponseWriter, r *http.Request) {
	lang := r.FormValue("lang")
	if _, ok := s.texts[lang]; !ok {
		http.Error(w, "no such language", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: lang, Path: "/", HttpOnly: true, Secure: s.cfg.Certificate != nil,
		SameSite: http.SameSiteLaxMode, MaxAge: int((365 * 24 * time.Hour).Seconds())})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// names are the languages as their speakers call them, by tag.
func (c catalog) names() (all []struct{ Tag, Name string }) {
	for tag, texts := range c {
		all = append(all, struct{ Tag, Name string }{tag, texts["language"]})
	}
	slices.SortFunc(all, func(a, b struct{ Tag, Name string }) int { return strings.Compare(a.Tag, b.Tag) })
	return all
}

// writer is what templates write texts with.
type writer struct {
	texts catalog
	lang  string
}

// T is a text.
func (w writer) T(key string, args ...any) string { return w.texts.text(w.lang, key, args...) }

// Lang is the language's tag.
func (w writer) Lang() string { return w.lang }

// Time is a moment by this machine's clocks, as an element that says it to machines, too.
func (w writer) Time(t time.Time) template.HTML {
	t = t.Local()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + template.HTMLEscapeString(t.Format("2006-01-02 15:04 MST")) + `</time>`) //nolint:gosec // both halves are ours
}
