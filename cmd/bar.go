package cmd

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

const (
	// frame is how long a drawn bar stays as it is, at least; beat is how long at most, for the time that is left.
	frame, beat = 100 * time.Millisecond, time.Second
	// report is how often a phase is told of where no bar can be drawn.
	report = time.Minute
	// graph is how many characters a bar has between its brackets, and fewGraph how few are worth drawing.
	graph, fewGraph = 20, 5
	// columns is how wide a terminal is that does not tell.
	columns = 80
)

// bar is how far a phase is. Where it is drawn it stands on the screen's last line until something else has to.
type bar struct {
	label, text string
	done, total int64 // bytes; total is 0 if nobody knows
	began       time.Time
	next        time.Time   // when it may be drawn, or told of, again
	timer       *time.Timer // draws it when nothing else does; nil if it is not on the screen
}

func newBar(label string, now time.Time) *bar {
	return &bar{label: label, began: now, next: now.Add(report)}
}

// progress shows that done of total bytes of a phase are through; total is 0 where nobody knows. text says what else
// there is to say of it.
func (u *ui) progress(label, text string, done, total int64) {
	if u.quiet {
		return
	}
	if line := u.advance(label, text, done, total, time.Now()); line != "" {
		u.say(label, "%s", line)
	}
}

// advance draws the bar or, where none can be drawn, gives a line now and then.
func (u *ui) advance(label, text string, done, total int64, now time.Time) (line string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bar == nil || u.bar.label != label {
		u.wipe()
		u.bar = newBar(label, now)
		if u.screen != nil {
			u.bar.next = now
		}
	}
	b := u.bar
	b.text, b.done, b.total = text, done, total
	if total > 0 {
		b.done = min(done, total)
	}
	switch {
	case done == total:
		u.wipe()
	case now.Before(b.next):
	case u.screen == nil:
		b.next = now.Add(report)
		return strings.Join(b.parts(now), "")
	default:
		u.draw(now)
	}
	return ""
}

// draw brings the bar onto the screen.
func (u *ui) draw(now time.Time) {
	width, _, err := term.GetSize(int(u.screen.Fd()))
	if err != nil || width <= 0 {
		width = columns
	}
	b := u.bar
	b.next = now.Add(frame)
	_, _ = io.WriteString(u.screen, "\r"+b.fit(width, now)+"\x1b[K") // the next line of text meets the same fault
	if b.timer == nil {
		b.timer = time.AfterFunc(beat, u.redraw)
	}
	b.timer.Reset(beat)
}

// redraw draws a bar that has stood still, so that its times do not.
func (u *ui) redraw() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bar != nil && u.bar.timer != nil {
		u.draw(time.Now())
	}
}

// wipe takes the bar off the screen. Its phase may go on.
func (u *ui) wipe() {
	if u.bar == nil || u.bar.timer == nil {
		return
	}
	u.bar.timer.Stop()
	u.bar.timer = nil
	u.bar.next = time.Time{}
	_, _ = io.WriteString(u.screen, "\r\x1b[K") // as in draw
}

// end takes the bar off the screen when the verb is through.
func (u *ui) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wipe()
}

// fit makes the bar a line of fewer than width characters: the last column stays free, since some terminals begin a new
// line after it.
func (b *bar) fit(width int, now time.Time) string {
	label := fmt.Sprintf("%-9s ", b.label)
	parts := b.parts(now)
	for ; ; parts = append(parts[:1:1], parts[2:]...) { // how much is through stays to the last, and before it the time left
		text := strings.Join(parts, "")
		room := width - 1 - utf8.RuneCountInString(label+text)
		if n := min(graph, room-len("[]  ")); n >= fewGraph && b.total > 0 {
			return label + b.graph(n) + "  " + text
		}
		if room >= 0 {
			return label + text
		}
		if len(parts) == 1 {
			return string([]rune(label + text)[:max(0, width-1)])
		}
	}
}

// graph draws n characters between brackets.
func (b *bar) graph(n int) string {
	full := int(int64(n) * min(b.done, b.total) / b.total)
	s := strings.Repeat("=", full)
	if full < n {
		s += ">" + strings.Repeat(" ", n-full-1)
	}
	return "[" + s + "]"
}

// parts are what there is to say: how much is through, what the phase says itself, the rate, and the time left.
func (b *bar) parts(now time.Time) []string {
	parts := []string{amount(b.done, b.total)}
	if b.text != "" {
		parts = append(parts, " "+b.text)
	}
	took := now.Sub(b.began)
	if b.done <= 0 || took < time.Second {
		return parts
	}
	rate := float64(b.done) / took.Seconds()
	parts = append(parts, ", "+size(int64(rate))+"/s")
	if b.total > 0 {
		parts = append(parts, ", "+about(time.Duration(float64(b.total-b.done)/rate*float64(time.Second)))+" left")
	}
	return parts
}

// about is a length of time that is guessed.
func about(d time.Duration) string {
	switch {
	case d <= time.Minute:
		return fmt.Sprintf("%d s", max(1, (d+time.Second-1)/time.Second))
	case d <= time.Hour:
		return fmt.Sprintf("%d min", (d+time.Minute-1)/time.Minute)
	}
	return span(d)
}

// amount is "41.2 of 63.0 MB".
func amount(done, total int64) string {
	if total <= 0 {
		return size(done)
	}
	number, unit, _ := strings.Cut(size(done), " ")
	if all := size(total); strings.HasSuffix(all, " "+unit) {
		return number + " of " + all
	}
	return size(done) + " of " + size(total)
}
