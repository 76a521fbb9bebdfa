package apply

import (
	"context"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// keepBoot says of a boot of the site's release that it went well, to a boot loader that wants to hear it of good slots, too: RAUC's
// scripts take a slot for bad that was booted once and not marked good since. A loader that cannot be asked is doctor's matter.
func (r *run) keepBoot(ctx context.Context) error {
	if r.journal.Phase != Idle || r.journal.Current == nil {
		return nil
	}
	running, err := r.booted(ctx)
	if err != nil || running == slot.None || running != r.journal.Current.Boot {
		return nil //nolint:nilerr // nothing was asked for
	}
	state, err := r.loader.State(ctx, running)
	if err != nil || state.Verdict != slot.Trial {
		return nil //nolint:nilerr // nothing was asked for
	}
	return r.loader.Commit(ctx, running)
}
