package window

import (
	"slices"
	"time"
)

// Plan is when a site may switch: while one of the windows is open, and no blackout is. Without windows it is any time
// outside the blackouts.
type Plan struct {
	Windows   []Window
	Blackouts []Blackout
}

// Span is a stretch of time in which a window is open without a break. End is not part of it. Both are in the zone of the
// window that begins or ends it.
type Span struct{ Start, End time.Time }

// Contains tells whether t lies in the span.
func (s Span) Contains(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// Always tells whether the plan says nothing.
func (p Plan) Always() bool { return len(p.Windows) == 0 && len(p.Blackouts) == 0 }

// back is how many days before an instant the windows are looked at: a span that is open longer began back days ago as far
// as anybody can tell.
const back = 9

// horizons are how many days ahead Next looks, one after the other.
var horizons = []day{back, 70, 400, 3700}

// At returns the span that is open at t, and whether there is one.
func (p Plan) At(t time.Time) (Span, bool) {
	today := dayOf(t.UTC())
	for _, s := range p.spans(today-back, today+back) {
		if s.Contains(t) {
			return s, true
		}
	}
	return Span{}, false
}

// Next returns the first span that has need left of it at t or later, and whether there is one within ten years. It may
// be open already.
func (p Plan) Next(t time.Time, need time.Duration) (Span, bool) {
	today := dayOf(t.UTC())
	for _, ahead := range horizons {
		for _, s := range p.spans(today-back, today+ahead) {
			from := s.Start
			if from.Before(t) {
				from = t
			}
			if s.End.After(from) && s.End.Sub(from) >= need {
				return s, true
			}
		}
	}
	return Span{}, false
}

// Blackout returns the blackout that t lies on, and whether there is one.
func (p Plan) Blackout(t time.Time) (Blackout, bool) {
	for _, b := range p.Blackouts {
		if b.span().Contains(t) {
			return b, true
		}
	}
	return Blackout{}, false
}

// spans returns what is open on some days, and perhaps on those beside them: in order, apart from one another.
func (p Plan) spans(first, last day) []Span {
	var all []Span
	for _, w := range p.Windows {
		all = append(all, w.spans(first, last)...)
	}
	if len(p.Windows) == 0 {
		all = []Span{{first.at(0, time.UTC), (last + 1).at(0, time.UTC)}}
	}
	all = union(all)
	for _, b := range p.Blackouts {
		all = cut(all, b.span())
	}
	return all
}

func (w Window) spans(first, last day) (all []Span) {
	for _, d := range w.on(first-1, last+1) {
		if !d.exists(w.zone) {
			continue
		}
		if s := (Span{d.at(w.start, w.zone), d.at(w.end, w.zone)}); s.Start.Before(s.End) {
			all = append(all, s)
		}
	}
	return all
}

// on returns the days from first to last on which the window begins.
func (w Window) on(first, last day) (all []day) {
	if w.rule != nil {
		return w.rule.days(first, last)
	}
	for d := first; d <= last; d++ {
		if w.days[d.weekday()] {
			all = append(all, d)
		}
	}
	return all
}

func (b Blackout) span() Span { return Span{b.from.at(0, b.zone), (b.to + 1).at(0, b.zone)} }

// union joins what overlaps or touches.
func union(all []Span) (joined []Span) {
	slices.SortFunc(all, func(a, b Span) int { return a.Start.Compare(b.Start) })
	for _, s := range all {
		if n := len(joined); n > 0 && !s.Start.After(joined[n-1].End) {
			if s.End.After(joined[n-1].End) {
				joined[n-1].End = s.End
			}
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// cut takes a stretch of time out of the spans.
func cut(all []Span, out Span) (left []Span) {
	for _, s := range all {
		if !s.Start.Before(out.End) || !s.End.After(out.Start) {
			left = append(left, s)
			continue
		}
		if s.Start.Before(out.Start) {
			left = append(left, Span{s.Start, out.Start})
		}
		if s.End.After(out.End) {
			left = append(left, Span{out.End.In(s.Start.Location()), s.End})
		}
	}
	return left
}
