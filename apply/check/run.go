package check

import (
	"context"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

const defaultInterval = 2 * time.Second

// DefaultTimeout bounds a check that does not say how long it may take.
const DefaultTimeout = 5 * time.Minute

// Probe takes one measurement. Nil is good; an error says in one line what is bad. What else it tells by its methods:
//
//   - Permanent() bool, if true, ends the check at once with verdict "error": it can not be measured, now or later
//   - Final() bool, if true, ends it at once with verdict "fail": it was measured, and no later measurement will be better
//   - Away() bool, if true, tells that nobody could be asked: see Env.Patience
type Probe func(ctx context.Context) error

// Env is what checks ask and where they report.
type Env struct {
	// Kubernetes looks once at the health of the release's objects. Nil: the site's target cannot tell.
	Kubernetes Probe
	// Images asks the mirror once for every image of the release, by digest and by name. Nil: the site has no mirror.
	Images Probe
	// Environ is added to the small fixed environment of exec checks: SALLYPORT_RELEASE=… and the like.
	Environ []string
	// Patience is for how long in all what a check asks may be away. Meanwhile the check's own time stands still, and nothing
	// counts as measured; after it the check ends with verdict "error". Zero: being away is as bad as any other answer.
	Patience time.Duration
	// Deadline, if set, is when the time for all checks is over: the one that is under way fails then, and so does each
	// required one behind it. No patience goes beyond it.
	Deadline time.Time
	// Observe, if set, is called from Run's goroutine.
	Observe func(Event)
}

// Run carries out the checks in their order. ok tells whether every required check passed; it means nothing if err is
// set. err is only ever the context's: the run was interrupted and nothing is decided.
func Run(ctx context.Context, checks []bundle.Check, env Env) (results []Result, ok bool, err error) {
	ok = true
	for i, c := range checks {
		r := newResult(c)
		if !ok {
			r.Verdict = Skipped
			results = append(results, r)
			continue
		}
		run := runner{check: c, env: env, result: &r, event: Event{Name: c.Name, Index: i, Total: len(checks)}}
		if err := run.do(ctx); err != nil {
			return results, false, err
		}
		results = append(results, r)
		ok = r.Verdict == Pass || !r.Required
	}
	return results, ok, nil
}

func newResult(c bundle.Check) Result {
	return Result{Name: c.Name, Kind: kind(c), Required: c.Required == nil || *c.Required}
}

// runner measures one check until it is decided.
type runner struct {
	check  bundle.Check
	env    Env
	result *Result
	event  Event
	good   int
	bad    int

	end      time.Time     // of the check's time
	patience time.Duration // that is left
}

// do fills in the result. The error is that of ctx.
func (r *runner) do(ctx context.Context) error {
	start := time.Now()
	timeout := orDefault(time.Duration(r.check.Timeout), DefaultTimeout)
	r.event.Want, r.event.Left = max(r.check.Count, 1), timeout
	r.observe("")
	probe, err := newProbe(r.check, r.env)
	if err == nil {
		err = r.delay(ctx)
		if err == nil {
			err = r.measure(ctx, probe, timeout)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	r.result.Seconds = time.Since(start).Round(time.Millisecond).Seconds()
	r.result.Tries = r.event.Tries
	r.result.Verdict, r.result.Message = verdict(err), message(err)
	r.event.Result = r.result
	r.observe(r.result.Message)
	return nil
}

// delay waits before the first measurement.
func (r *runner) delay(ctx context.Context) error {
	if r.over() {
		return &failure{last: errNotAsked}
	}
	end := time.Now().Add(time.Duration(r.check.InitialDelay))
	if !r.env.Deadline.IsZero() && r.env.Deadline.Before(end) {
		end = r.env.Deadline
	}
	err := sleep(ctx, time.Until(end))
	if err == nil && r.over() {
		return &failure{last: errNotAsked}
	}
	return err
}

// over tells whether the time for all checks is over.
func (r *runner) over() bool { return !r.env.Deadline.IsZero() && !time.Now().Before(r.env.Deadline) }

// until is when the measurement ends that may go on until end.
func (r *runner) until(end time.Time) time.Time {
	if d := r.env.Deadline; !d.IsZero() && d.Before(end) {
		return d
	}
	return end
}

// measure returns nil once the check has passed.
func (r *runner) measure(ctx context.Context, probe Probe, timeout time.Duration) error {
	start := time.Now()
	r.end, r.patience = start.Add(timeout), r.env.Patience
	var last error
	for {
		began := time.Now()
		cut, err := r.once(ctx, probe)
		if err != nil && cut && last != nil {
			// Cut short by the timeout: what the last whole measurement said is the better reason.
			return r.failure(last, start)
		}
		r.event.Tries++
		switch {
		case isPermanent(err), isAway(err) && r.env.Patience > 0:
			return err
		case isAgain(err):
			last = err
		case err != nil:
			r.bad++
			last = err
		default:
			r.good++
		}
		if r.good >= r.event.Want {
			return nil
		}
		if isFinal(err) || r.check.FailureLimit != nil && r.bad > *r.check.FailureLimit {
			return r.failure(last, start)
		}
		r.event.Good, r.event.Left = r.good, time.Until(r.end)
		r.observe(message(err))
		if sleepUntil(ctx, began.Add(r.interval()), r.until(r.end)) != nil {
			return r.failure(last, start)
		}
	}
}

// leastAgain is the least that a measurement gets after one that found nobody: the time that was left when what it asks
// went away may be next to nothing.
const leastAgain = 5 * time.Second

// once takes one measurement. While nobody can be asked it tries again, until patience is over, and the end of the check's
// time moves by as much. cut tells that the measurement was cut short by that end, or by ctx.
func (r *runner) once(ctx context.Context, probe Probe) (cut bool, err error) {
	for least := time.Duration(0); ; least = leastAgain {
		began := time.Now()
		end := r.end
		if t := began.Add(least); least > 0 && end.Before(t) {
			end = t
		}
		if cut, err = ask(ctx, probe, r.until(end)); !isAway(err) || r.patience <= 0 || ctx.Err() != nil || r.over() {
			return cut, err
		}
		r.event.Left, r.event.Away = time.Until(r.end), true
		r.observe(message(err))
		r.event.Away = false
		then := r.until(time.Now().Add(min(r.interval(), defaultInterval)))
		if err := sleep(ctx, time.Until(then)); err != nil {
			return true, err
		}
		took := time.Since(began)
		r.end, r.patience = r.end.Add(took), r.patience-took
	}
}

func ask(ctx context.Context, probe Probe, end time.Time) (cut bool, err error) {
	ctx, cancel := context.WithDeadlineCause(ctx, end, errTimeout)
	defer cancel()
	err = probe(ctx)
	return ctx.Err() != nil, err
}

func (r *runner) interval() time.Duration {
	return orDefault(time.Duration(r.check.Interval), defaultInterval)
}

func (r *runner) failure(last error, start time.Time) error {
	return &failure{last: last, good: r.good, want: r.event.Want, tries: r.event.Tries, took: time.Since(start), over: r.over()}
}

func (r *runner) observe(last string) {
	if r.env.Observe == nil {
		return
	}
	r.event.Last = last
	r.env.Observe(r.event)
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// sleepUntil waits until then; end is when the check's time is over.
func sleepUntil(ctx context.Context, then, end time.Time) error {
	ctx, cancel := context.WithDeadlineCause(ctx, end, errTimeout)
	defer cancel()
	return sleep(ctx, time.Until(then))
}

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
