package apply

import (
	"context"
	"time"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

const (
	// unstickTime is how long to wait, before checks begin, for workloads that wait for their own broken Pods.
	unstickTime = 2 * time.Minute
	// unstickPause is how long to wait before the target is asked again what became of them.
	unstickPause = time.Second
)

// unsticker is a target with workloads that do not return by themselves when their template does.
type unsticker interface {
	Unstick(ctx context.Context, want kube.Objects, crashed bool) (kube.Unstuck, error)
}

// unstickAll gets rid of Pods for which the release's workloads would wait for ever, one after the other, each told. What
// cannot be done is told, too; the checks decide. The error is that of ctx.
func (r *run) unstickAll(ctx context.Context, rel *slotRelease) error {
	for end := time.Now().Add(unstickTime); ; {
		more, err := r.unstick(ctx, rel)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			r.say("note", "a workload may wait for its own broken Pod: %s", oneLine(err.Error()))
			return nil
		case !more || time.Now().After(end):
			return nil
		}
		if err := pause(ctx, unstickPause); err != nil {
			return err
		}
	}
}

// unstick is one step of unstickAll; more tells that another may be needed.
func (r *run) unstick(ctx context.Context, rel *slotRelease) (more bool, err error) {
	u, ok := r.target.(unsticker)
	if !ok {
		return false, nil
	}
	done, err := u.Unstick(ctx, rel.objects(), !r.goingBack())
	for _, c := range done.Deleted {
		r.say("objects", "%s deleted: %s", c, c.Note)
	}
	return done.More, err
}

// goingBack tells that what is put on the target ran here before.
func (r *run) goingBack() bool {
	return r.journal.Phase != Trial || r.journal.Attempt != nil && r.journal.Attempt.Verb == verbRollback
}
