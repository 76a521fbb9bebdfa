package report

import (
	_ "embed"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return t.UTC().Format("2006-01-02 15:04")
	},
	"states": func() []string { return States },
}).Parse(pageText))

// HTML writes the report as one page that needs nothing else.
func (f *Fleet) HTML(w io.Writer) error { return page.Execute(w, f) }
