package apply

import (
	"context"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

// ready finds out, without changing anything, what a switch needs beside the release: that the site's own checks can be
// read, and that its target is there and can be written.
func (r *run) ready(ctx context.Context) error {
	if _, err := r.siteChecks(); err != nil {
		return err
	}
	if err := r.openTarget(ctx); err != nil {
		return err
	}
	_, err := r.target.Ready(ctx, r.journal.onTarget())
	return err
}

// onTarget lists what is on the target because of a release that was committed. What a first release is about to put
// there is live already, and may never come.
func (j *journal) onTarget() kube.Inventory {
	if j.Current == nil {
		return kube.Inventory{}
	}
	return j.Live
}

// readyToSwitch is ready before anything is loaded. Whoever only stages is told, and may mend it before the switch.
func (r *run) readyToSwitch(ctx context.Context) error {
	err := r.ready(ctx)
	if err == nil || r.verb != verbStage || ctx.Err() != nil {
		return err
	}
	r.say("note", "to be mended before the switch: %s", err)
	return nil
}
