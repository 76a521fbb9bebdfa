package apply

import (
	"context"
	"errors"
	"time"
)

const (
	// outagePause is how long to wait before a target that was away is asked again.
	outagePause = 2 * time.Second
	// newOutage is how long work must have gone well for its next failure to be another outage.
	newOutage = time.Minute
	// maxOutages is how many outages one piece of work outlives.
	maxOutages = 10
)

// isAway tells of errors of a target that could not be asked and may be back by itself.
func isAway(err error) bool {
	var a interface{ Away() bool }
	return errors.As(err, &a) && a.Away()
}

// outlast does idempotent work, and does it again for as long as the target is away, until the site's patience is over, or a trial's
// deadline near. Only a trial and its rollback have this time: once something that runs was touched, going on late is better than
// stopping half-way.
func (r *run) outlast(ctx context.Context, work func(context.Context) error) error {
	var since time.Time
	var patience time.Duration
	for outages := 0; ; {
		began := time.Now()
		err := work(ctx)
		if !isAway(err) || ctx.Err() != nil {
			return err
		}
		if since.IsZero() || time.Since(began) > newOutage {
			since, patience = time.Now(), r.patience()
			if outages++; patience > 0 {
				r.say("note", "%s; waiting for it, %s at most", oneLine(err.Error()), seconds(patience.Seconds()))
			}
		}
		if time.Since(since) >= patience || outages > maxOutages {
			return err
		}
		if err := pause(ctx, min(outagePause, patience)); err != nil {
			return err
		}
	}
}

// patience is the site's, or what a trial has time for.
func (r *run) patience() time.Duration {
	patience := r.cfg.Spec.Target.patience()
	if end := r.trialEnd(); !end.IsZero() {
		patience = max(0, min(patience, time.Until(end)))
	}
	return patience
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
