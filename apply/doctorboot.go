package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// bootReady looks at the boot loader: would a release with an operating system be tried, and could the machine fall back?
func (s *Site) bootReady(ctx context.Context) []Finding {
	if s.deps.Loader == nil {
		return nil
	}
	const mend = "set the boot loader up as docs/bootloaders.md says"
	l, err := s.deps.Loader()
	if err != nil {
		return []Finding{found("boot", err, "", mend)}
	}
	running, err := l.Running(ctx)
	if err != nil {
		return []Finding{found("boot", err, "", mend)}
	}
	if err := errors.Join(s.stateApart(), l.Ready(ctx)); err != nil {
		return []Finding{found("boot", err, "", mend)}
	}
	state, err := l.State(ctx, running)
	if err == nil && state.Verdict != slot.Good {
		err = errorf("boot", "finish what is under way: sallyport confirm", "boot slot %s, which runs, is %s for the boot loader", running, state.Verdict)
	}
	if err == nil {
		if b := s.ExamineBoot(ctx); b.Problem != "" {
			err = errorf("boot", "boot the slot that the site's release is in, or apply a newer release", "%s", b.Problem)
		}
	}
	f := found("boot", err, fmt.Sprintf("boot slot %s runs and is good; the boot loader is ready to try the other one", running), mend)
	if err == nil {
		f.advise(ctx, l)
	}
	return []Finding{f}
}

// adviser is a boot loader that can tell what its set-up leaves to a person.
type adviser interface {
	Advice(ctx context.Context) (text, mend string, err error)
}

// advise adds a boot loader's advice to a good finding.
func (f *Finding) advise(ctx context.Context, l slot.Loader) {
	if w, ok := l.(interface{ Unwrap() slot.Loader }); ok {
		l = w.Unwrap()
	}
	a, ok := l.(adviser)
	if !ok {
		return
	}
	text, mend, err := a.Advice(ctx)
	if err != nil {
		text = oneLine(err.Error())
	}
	if text != "" {
		f.Message, f.Mend = f.Message+"; "+text, mend
	}
}
