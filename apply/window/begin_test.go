package window

import (
	"fmt"
	"testing"
	"time"
)

// TestBegin wants sites spread over the first half of what a span has to spare.
func TestBegin(t *testing.T) {
	night := Span{instant(t, "2026-11-21T02:00:00Z"), instant(t, "2026-11-21T04:00:00Z")}
	const need = time.Hour
	var early, late int
	for i := range 1000 {
		at := night.Begin(fmt.Sprintf("store-%04d", i), need)
		after := at.Sub(night.Start)
		switch {
		case after < 0 || after >= 30*time.Minute:
			t.Fatalf("store-%04d begins %s after the start", i, after)
		case after < 15*time.Minute:
			early++
		default:
			late++
		}
	}
	if early < 400 || late < 400 {
		t.Errorf("%d sites begin in the first quarter of an hour, %d in the second", early, late)
	}
}

// Trap systemd#18678, #21166: jitter drawn again at each boot never fires on machines that are often off.
func TestBeginIsTheSameInEachPass(t *testing.T) {
	p := plan(t, "daily 02:00-04:00 Europe/Budapest")
	var first time.Time
	for i := range 120 {
		at := instant(t, "2026-11-21T02:00:00+01:00").Add(time.Duration(i) * time.Minute)
		s, ok := p.At(at)
		if !ok {
			t.Fatalf("at %s nothing is open", at)
		}
		begin := s.Begin("store-0142", time.Hour)
		if first.IsZero() {
			first = begin
		}
		if !begin.Equal(first) {
			t.Fatalf("at %s the site begins %s, before it was %s", at, begin, first)
		}
	}
}

func TestBeginInOddSpans(t *testing.T) {
	start := instant(t, "2026-11-21T02:00:00Z")
	if got := (Span{start, start.Add(time.Hour)}).Begin("store-0142", 2*time.Hour); !got.Equal(start) {
		t.Errorf("a span that is too short begins %s", got)
	}
	if got := (Span{start, start.Add(240 * time.Hour)}).Begin("store-0142", time.Hour); got.Sub(start) >= maxSpread {
		t.Errorf("a long span begins %s", got)
	}
	if got := (Span{start, start.Add(time.Hour)}).Latest(20 * time.Minute); !got.Equal(start.Add(40 * time.Minute)) {
		t.Errorf("the latest start is %s", got)
	}
}
