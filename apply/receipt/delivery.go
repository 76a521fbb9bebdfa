package receipt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What became of a statement at a target.
const (
	sent    = "sent"
	refused = "refused" // for good: it is set aside
	failed  = "failed"  // it is tried again
)

const (
	// mostFailures is how many statements a target may fail in a row before it is left alone for a while.
	mostFailures = 3
	// firstPause is how long that is at first; it doubles with each time up to longestPause.
	firstPause   = time.Minute
	longestPause = time.Hour
)

// delivery is what became of a statement at one target.
type delivery struct {
	State string `json:"state"`
	Tries int    `json:"tries,omitempty"`
	Why   string `json:"why,omitempty"`
}

// pause is how long a target that fails is left alone. It counts from Since, and a clock that has gone back ends it.
type pause struct {
	Failures int       `json:"failures"`
	Since    time.Time `json:"since"`
}

// over tells whether the target may be tried again.
func (p pause) over(now time.Time) bool {
	length := longestPause
	if p.Failures <= 6 {
		length = firstPause << max(p.Failures-1, 0)
	}
	return p.Failures == 0 || now.Before(p.Since) || now.Sub(p.Since) >= length
}

// Target is where receipts are sent to over a link.
type Target interface {
	// URL is the target as site.yaml names it.
	URL() string
	// Send stores a statement under a name. An error that is RefusedError is for good; any other passes.
	Send(ctx context.Context, name string, statement []byte) error
}

// RefusedError is a target that will never take a statement.
type RefusedError struct{ Text string }

// Error says what the target has answered.
func (e *RefusedError) Error() string { return e.Text }

// Forwarded is what a pass over the targets did.
type Forwarded struct {
	Sent    int `json:"sent"`
	Refused int `json:"refused"` // set aside for good, in this pass
	Waiting int `json:"waiting"` // to be tried again
	// Failed says of each target that failed why it did.
	Failed []string `json:"failed"`
}

// Forward sends what each target does not have yet. What one refuses for good is set aside, what fails is tried again by a later
// pass, and neither holds up the others; a target that fails time and again is left alone for a while.
func (s *Spool) Forward(ctx context.Context, targets []Target, now time.Time) (Forwarded, error) {
	f := Forwarded{Failed: []string{}}
	for _, t := range targets {
		due := s.due(t.URL())
		if len(due) == 0 {
			continue
		}
		if s.index.Pauses[t.URL()].over(now) {
			if err := s.send(ctx, t, due, now, &f); err != nil {
				return f, err
			}
		}
		f.Waiting += len(s.due(t.URL()))
	}
	return f, nil
}

// due are the statements that a target has yet to get: those that were tried least first, so that one which always fails is the
// last.
func (s *Spool) due(url string) (all []Entry) {
	for _, e := range s.entries() {
		if d := e.Sent[url]; d.State != sent && d.State != refused {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.Sent[url].Tries - b.Sent[url].Tries })
	return all
}

// send sends statements to one target, and notes what became of them.
func (s *Spool) send(ctx context.Context, t Target, due []Entry, now time.Time, f *Forwarded) error {
	done := map[string]delivery{}
	inRow, worked, why := 0, false, ""
	for _, e := range due {
		if inRow == mostFailures || ctx.Err() != nil {
			break
		}
		b, err := s.read(e)
		if err != nil {
			done[e.File] = delivery{State: refused, Why: err.Error()} // damaged here: there is nothing to send
			continue
		}
		d := delivery{State: sent, Tries: e.Sent[t.URL()].Tries + 1}
		var no *RefusedError
		switch err := t.Send(ctx, e.File, b); {
		case err == nil:
			inRow, worked = 0, true
			f.Sent++
		case errors.As(err, &no):
			inRow, worked = 0, true
			d.State, d.Why = refused, no.Text
			f.Refused++
		default:
			inRow++
			d.State, d.Why, why = failed, err.Error(), err.Error()
		}
		done[e.File] = d
	}
	if why != "" {
		f.Failed = append(f.Failed, why)
	}
	return s.note(t.URL(), done, worked, why != "", now)
}

// note saves what became of statements at a target.
func (s *Spool) note(url string, done map[string]delivery, worked, failing bool, now time.Time) error {
	return s.change(func(x *index) {
		noted := func(e Entry) Entry {
			d, ok := done[e.File]
			if !ok {
				return e
			}
			all := map[string]delivery{url: d}
			for other, d := range e.Sent {
				if other != url {
					all[other] = d
				}
			}
			e.Sent = all
			return e
		}
		x.Receipts = slices.Clone(x.Receipts)
		for i, e := range x.Receipts {
			x.Receipts[i] = noted(e)
		}
		if x.Enrolment != nil {
			e := noted(*x.Enrolment)
			x.Enrolment = &e
		}
		pauses := map[string]pause{}
		for other, p := range x.Pauses {
			pauses[other] = p
		}
		delete(pauses, url)
		if failing {
			p := pause{Failures: 1, Since: now}
			if before := x.Pauses[url]; !worked {
				p.Failures += before.Failures
			}
			pauses[url] = p
		}
		x.Pauses = pauses
	})
}

// Aside lists the statements that a target has refused for good, each with its answer.
func (s *Spool) Aside() (all []string) {
	for _, e := range s.entries() {
		for _, d := range e.Sent {
			if d.State == refused {
				all = append(all, fmt.Sprintf("%s: %s", e.File, d.Why))
			}
		}
	}
	slices.Sort(all)
	return all
}
