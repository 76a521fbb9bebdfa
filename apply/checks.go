package apply

import (
	"context"
	"regexp"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// siteChecks reads the site's own checks, if it has a folder of them.
func (s *Site) siteChecks() ([]bundle.Check, error) {
	if s.cfg.Spec.ChecksDir == "" {
		return nil, nil
	}
	return check.LoadDir(s.cfg.Spec.ChecksDir)
}

// checkEnv is what the checks of a release ask.
func (r *run) checkEnv(rel *slotRelease) check.Env {
	t := &teller{run: r, noted: map[string]bool{}}
	return check.Env{
		Kubernetes: func(ctx context.Context) error {
			_, _ = r.unstick(ctx, rel) // a Pod may break only now; what cannot be done was told before the checks
			status, err := r.target.Health(ctx, rel.objects())
			r.away = isAway(err)
			if err == nil {
				err = kube.CheckHealth(status)
			}
			if err == nil {
				t.notes(status)
			}
			return err
		},
		Images: func(ctx context.Context) error { return r.imagesByName(ctx, rel) },
		Environ: []string{
			"SALLYPORT_SITE_NAME=" + r.cfg.Metadata.Name,
			"SALLYPORT_RELEASE=" + rel.descriptor.Name,
			"SALLYPORT_VERSION=" + rel.descriptor.Version,
		},
		Patience: r.cfg.Spec.Target.patience(),
		Deadline: r.trialEnd(),
		Observe:  t.check,
	}
}

// verdictTime is what a trial leaves of its deadline, for what follows from its verdict.
const verdictTime = 30 * time.Second

// trialEnd is when a trial of another boot slot has to have its verdict: by its deadline the machine is booted again, and what failed
// is to be told before. Zero: a trial may take as long as each of its parts says.
func (r *run) trialEnd() time.Time {
	if r.journal.Reboot == nil || r.journal.Phase != Trial || r.deps.Uptime == nil {
		return time.Time{}
	}
	up, err := r.deps.Uptime()
	if err != nil {
		return time.Time{}
	}
	return time.Now().Add(r.cfg.Spec.Slots.deadline() - up - verdictTime)
}

const (
	// waitEvery is how often, at most, it is told what a check waits for.
	waitEvery = 10 * time.Second
	// maxNotes is how many objects of which there is something to say are named.
	maxNotes = 5
)

// teller tells how the checks of one release get on.
type teller struct {
	*run
	waits string    // what was told last, without its numbers
	told  time.Time // when
	noted map[string]bool
}

// check tells of measurements while a check is not decided, and of its verdict.
func (t *teller) check(e check.Event) {
	switch res := e.Result; {
	case res == nil && e.Want > 1 && e.Tries > 0:
		t.say("checks", "%s: %d of %d good, %s left", e.Name, e.Good, e.Want, e.Left.Round(time.Second))
	case res == nil:
		t.waiting(e)
	case res.Verdict == check.Pass:
		t.say("checks", "%s ok (%s)", e.Name, seconds(res.Seconds))
	case !res.Required:
		t.say("checks", "%s failed, which is forgiven: %s", e.Name, res.Message)
	default:
		t.say("checks", "%s FAILED: %s", e.Name, res.Message)
	}
}

// waiting tells what a check waits for, once it has been found wanting twice, and again when that is something else.
func (t *teller) waiting(e check.Event) {
	now := time.Now()
	if e.Last == "" || e.Tries == 1 && !e.Away || now.Sub(t.told) < waitEvery {
		return
	}
	if waits := numbers.ReplaceAllString(e.Name+e.Last, "#"); waits != t.waits {
		t.waits, t.told = waits, now
		if e.Away {
			t.say("checks", "%s waits, and its time stands still: %s", e.Name, e.Last)
			return
		}
		t.say("checks", "%s waits (%s left): %s", e.Name, e.Left.Round(time.Second), e.Last)
	}
}

var numbers = regexp.MustCompile(`[0-9]+`)

// notes says, once, what is to be said of objects that are as they should be.
func (t *teller) notes(all []kube.ObjectStatus) {
	more := 0
	for _, s := range all {
		text := s.ID.String() + ": " + s.Note
		switch {
		case s.Note == "" || t.noted[text]:
			continue
		case len(t.noted) < maxNotes:
			t.say("note", "%s", text)
		default:
			more++
		}
		t.noted[text] = true
	}
	if more > 0 {
		t.say("note", "and %d more objects of which there is something to say", more)
	}
}
