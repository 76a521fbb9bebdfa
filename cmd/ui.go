package cmd

// What every message of sallyport keeps to:
//
//   - A line begins with a word that says what it is about (release, images, checks, …), in a column of its own.
//   - An error is two lines: "error: " what is wrong with which thing; "hint:  " what to do next.
//   - What a person asked for goes to standard output. With --json that is one object, and all else goes to
//     standard error.
//   - A bar is drawn on a terminal only, and leaves nothing behind; elsewhere a phase is one plain line.
//   - Sizes are in kB and MB (10³) to three figures; digests are cut to twelve characters; colour marks only
//     ok and FAILED, and never alone.

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// ui is where a verb's words go.
type ui struct {
	out, err io.Writer
	json     bool
	quiet    bool
	color    bool
	log      *slog.Logger // set with --log-format json

	bars     *mpb.Progress // nil where no bar is drawn
	barsOut  io.Writer
	bar      *mpb.Bar
	barLabel string
	barStart time.Time
}

// newUI finds out what out and err are. progress is auto, plain or none; with none only a verb's last words appear.
func newUI(out, err io.Writer, o commonFlags) *ui {
	u := &ui{out: out, err: err, json: o.json, quiet: o.quiet || o.progress == "none"}
	lines := u.lines()
	if o.logFormat == "json" {
		u.log = slog.New(slog.NewJSONHandler(err, nil))
		return u
	}
	u.color = isTerminal(lines) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if o.progress == "auto" && !u.quiet && isTerminal(lines) && os.Getenv("TERM") != "dumb" {
		u.barsOut = lines
	}
	return u
}

func isTerminal(w io.Writer) bool {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// lines is where running commentary goes.
func (u *ui) lines() io.Writer {
	if u.json {
		return u.err
	}
	return u.out
}

// say prints one line of running commentary.
func (u *ui) say(label, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	u.endBar()
	switch {
	case u.log != nil:
		u.log.Info(text, "about", label)
	case !u.quiet:
		fmt.Fprintf(u.lines(), "%-9s %s\n", label, u.mark(text))
	}
}

// print writes the last words of a verb: what changed and what to do next. They appear with --quiet too.
func (u *ui) print(format string, args ...any) {
	u.endBar()
	fmt.Fprintf(u.lines(), format, args...)
}

// progress shows that done of total bytes of a phase are through. It draws nothing where there is no terminal.
func (u *ui) progress(label string, done, total int64) {
	if u.barsOut == nil || total <= 0 {
		return
	}
	if u.bar != nil && u.barLabel != label {
		u.endBar()
	}
	if u.bar == nil {
		u.barLabel, u.barStart = label, time.Now()
		u.bars = mpb.New(mpb.WithOutput(u.barsOut), mpb.WithWidth(20))
		u.bar = u.bars.New(total, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-9s", label))),
			mpb.AppendDecorators(decor.Any(u.barText)))
	}
	u.bar.SetTotal(total, false)
	u.bar.SetCurrent(done)
}

func (u *ui) barText(s decor.Statistics) string {
	text := fmt.Sprintf("  %s of %s", size(s.Current), size(s.Total))
	took := time.Since(u.barStart)
	if s.Current <= 0 || took < time.Second {
		return text
	}
	rate := float64(s.Current) / took.Seconds()
	left := time.Duration(float64(s.Total-s.Current) / rate * float64(time.Second))
	return fmt.Sprintf("%s, %s/s   %s left", text, size(int64(rate)), span(left))
}

func (u *ui) endBar() {
	if u.bar == nil {
		return
	}
	u.bar.Abort(true)
	u.bars.Wait()
	u.bar, u.bars = nil, nil
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
	return s
}

// event passes on what a library tells: a line, or with a total, how far a phase is.
func (p *program) event(label, text string, done, total int64) {
	if total > 0 {
		p.ui.progress(label, done, total)
		return
	}
	p.ui.say(label, "%s", text)
}

func (p *program) print(format string, args ...any) { p.ui.print(format, args...) }
