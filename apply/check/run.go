package check

import (
	"context"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

const (
	defaultInterval = 2 * time.Second
	defaultTimeout  = 5 * time.Minute
)

// Probe takes one measurement. Nil is good; an error says in one line what is bad. An error with a method
// Permanent() bool that returns true ends the check at once, with verdict "error": no later measurement can differ.
type Probe func(ctx context.Context) error

// Env is what checks ask and where they report.
type Env struct {
	// Kubernetes looks once at the health of the release's objects. Nil: the site's target cannot tell.
	Kubernetes Probe
	// Images asks the mirror once for every image of the release, by digest and by name. Nil: the site has no mirror.
	Images Probe
	// Environ is added to the small fixed environment of exec checks: SALLYPORT_RELEASE=… and the like.
	Environ []string
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
}

// do fills in the result. The error is that of ctx.
func (r *runner) do(ctx context.Context) error {
	start := time.Now()
	timeout := orDefault(time.Duration(r.check.Timeout), defaultTimeout)
	r.event.Want, r.event.Left = max(r.check.Count, 1), timeout
	r.observe("")
	probe, err := newProbe(r.check, r.env)
	if err == nil {
		if err := sleep(ctx, time.Duration(r.check.InitialDelay)); err != nil {
			return err
		}
		err = r.measure(ctx, probe, timeout)
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

// measure returns nil once the check has passed.
func (r *runner) measure(ctx context.Context, probe Probe, timeout time.Duration) error {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	var last error
	for {
		began := time.Now()
		err := probe(ctx)
		if err != nil && ctx.Err() != nil && last != nil {
			// Cut short by the timeout: what the last whole measurement said is the better reason.
			return r.failure(last, start)
		}
		r.event.Tries++
		switch {
		case isPermanent(err):
			return err
		case err != nil:
			r.bad++
			last = err
		default:
			r.good++
		}
		if r.good >= r.event.Want {
			return nil
		}
		if r.check.FailureLimit != nil && r.bad > *r.check.FailureLimit {
			return r.failure(last, start)
		}
		r.event.Good, r.event.Left = r.good, timeout-time.Since(start)
		r.observe(message(err))
		interval := orDefault(time.Duration(r.check.Interval), defaultInterval)
		if sleep(ctx, interval-time.Since(began)) != nil {
			return r.failure(last, start)
		}
	}
}

func (r *runner) failure(last error, start time.Time) error {
	return &failure{last: last, good: r.good, want: r.event.Want, tries: r.event.Tries, took: time.Since(start)}
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
