package cmd

// What every message of sallyport keeps to:
//
//   - A line begins with a word that says what it is about (release, images, checks, …), in a column of its own.
//   - An error is two lines: "error: " what is wrong with which thing; "hint:  " what to do next.
//   - What a person asked for goes to standard output. With --json that is one object, and all else goes to
//     standard error.
//   - A bar is drawn on a terminal only, and leaves nothing behind; elsewhere a phase is one plain line, and one more for
//     each minute that it takes.
//   - With --quiet there are errors, what was asked for, and what a verb has changed. Where nothing had to be done there
//     is nothing.
//   - Sizes are in kB and MB (10³) to three figures; digests are cut to twelve characters; colour marks only
//     ok and FAILED, and never alone.
//   - Nothing but this file, bar.go, object.go and printError writes to the outputs, and what they are given is foreign:
//     every argument of a format is escaped before it becomes part of a line, so only marks of our own reach a terminal.

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// ui is where a verb's words go.
type ui struct {
	out, err io.Writer
	json     bool
	quiet    bool // no commentary
	silent   bool // and not a word where there was nothing to do
	color    bool
	log      *slog.Logger // set with --log-format json

	mu      sync.Mutex // for what follows, and for whole lines
	bar     *bar       // of the phase that was measured last; nil before
	screen  *os.File   // where bars are drawn; nil is nowhere
	measure bool       // the verb's own work is measured, so the reading of its bundle need not be
	read    int64      // bytes of the bundle
}

// newUI finds out what out and err are. progress is auto, plain or none; with none there is no commentary.
func newUI(out, err io.Writer, o commonFlags) *ui {
	u := &ui{out: out, err: err, json: o.json, quiet: o.quiet || o.progress == "none", silent: o.quiet}
	if o.logFormat == "json" {
		u.log = jsonLog(err, slog.LevelInfo)
		return u
	}
	screen := terminal(u.lines())
	if screen == nil || os.Getenv("TERM") == "dumb" {
		return u
	}
	u.color = os.Getenv("NO_COLOR") == ""
	if o.progress == "auto" && !u.quiet {
		u.screen = screen
	}
	return u
}

// jsonLog makes a log of one JSON object a line.
func jsonLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(oneline.JSONWriter(w), &slog.HandlerOptions{Level: level}))
}

// terminal gives the terminal that w writes to, or nil.
func terminal(w io.Writer) *os.File {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// seen tells whether somebody at a terminal reads the commentary.
func (u *ui) seen() bool { return terminal(u.lines()) != nil }

// lines is where running commentary goes.
func (u *ui) lines() io.Writer {
	if u.json {
		return u.err
	}
	return u.out
}

// verdict is a word that colour may mark.
type verdict string

// text is fmt.Sprintf of arguments that may hold anything.
func (u *ui) text(format string, args ...any) string {
	clean := make([]any, len(args))
	for i, a := range args {
		clean[i] = u.clean(a)
	}
	return fmt.Sprintf(format, clean...)
}

func (u *ui) clean(a any) any {
	if v, ok := a.(verdict); ok {
		return u.mark(string(v))
	}
	if _, ok := a.(fmt.Stringer); !ok && a != nil && reflect.TypeOf(a).ConvertibleTo(reflect.TypeFor[float64]()) {
		return a // a number
	}
	return oneline.Escape(fmt.Sprint(a))
}

// write brings a whole line, or several, to where commentary goes.
func (u *ui) write(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wipe()
	_, _ = io.WriteString(u.lines(), text) // output remembers the error
}

// afresh makes place for the same once more: a terminal is wiped, elsewhere a line is left empty.
func (u *ui) afresh() {
	text := "\n"
	if terminal(u.out) != nil && os.Getenv("TERM") != "dumb" {
		text = "\x1b[H\x1b[2J"
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	_, _ = io.WriteString(u.out, text) // output remembers the error
}

// say prints one line of running commentary.
func (u *ui) say(label, format string, args ...any) {
	text := u.text(format, args...)
	switch {
	case u.quiet:
	case u.log != nil:
		u.log.Info(text, "about", label)
	default:
		u.write(fmt.Sprintf("%-9s %s\n", oneline.Escape(label), u.mark(text)))
	}
}

// warn tells on standard error, with --quiet too, what must not be missed although nothing has failed.
func (u *ui) warn(format string, args ...any) {
	text := u.text(format, args...)
	if u.log != nil {
		u.log.Warn(text)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wipe()
	fmt.Fprintf(u.err, "warning: %s\n", text)
}

// print writes what a verb was asked for, or has changed. It appears with --quiet too.
func (u *ui) print(format string, args ...any) { u.write(u.text(format, args...)) }

// closing prints the last words of a verb that has changed something, set apart from its commentary.
func (u *ui) closing(format string, args ...any) {
	text := u.text(format, args...) + "\n"
	if !u.quiet {
		text = "\n" + text
	}
	u.write(text)
}

// fine prints last words that say no more than that all was well before. A script that wants quiet reads them off the exit
// status.
func (u *ui) fine(format string, args ...any) {
	if !u.silent {
		u.print(format, args...)
	}
}

// line prints one line of what a verb was asked for.
func (u *ui) line(label, format string, args ...any) {
	u.write(fmt.Sprintf("%-9s %s\n", oneline.Escape(label), u.text(format, args...)))
}

// table is lines whose cells stand below each other.
type table struct {
	ui *ui
	b  strings.Builder
	t  *tabwriter.Writer
}

// table begins a table with so many spaces between its columns.
func (u *ui) table(space int) *table {
	t := &table{ui: u}
	t.t = tabwriter.NewWriter(&t.b, 0, 0, space, ' ', 0)
	return t
}

// row adds a line; \t in the format is where a cell ends.
func (t *table) row(format string, args ...any) {
	fmt.Fprintln(t.t, t.ui.text(format, args...))
}

// print ends the table.
func (t *table) print() {
	_ = t.t.Flush() // a Builder takes everything
	t.ui.write(t.b.String())
}

// mark colours the words ok and FAILED.
func (u *ui) mark(s string) string {
	if !u.color {
		return s
	}
	s = strings.Replace(s, "FAILED", "\x1b[31mFAILED\x1b[0m", 1)
	if head, ok := strings.CutSuffix(s, " ok"); ok {
		return head + " \x1b[32mok\x1b[0m"
	}
	if s == "ok" {
		return "\x1b[32mok\x1b[0m"
	}
	return s
}

// event passes on what a library tells: a line, or with a total, how far a phase is.
func (p *program) event(label, text string, done, total int64) {
	if total > 0 {
		p.ui.measured(label, text, done, total)
		return
	}
	p.ui.say(label, "%s", text)
}

// measured shows how far a phase of the verb's own work is.
func (u *ui) measured(label, text string, done, total int64) {
	u.mu.Lock()
	u.measure = true
	read := u.read
	u.mu.Unlock()
	if read > 0 {
		text += ", " + size(read) + " read"
	}
	u.progress(label, text, done, total)
}

// reading shows how far a bundle is read, as long as there is nothing better to show.
func (u *ui) reading(label string, done, total int64) {
	u.mu.Lock()
	better := u.measure
	u.read = done
	u.mu.Unlock()
	if !better {
		u.progress(label, "", done, total)
	}
}
