package apply

import (
	"context"
	"fmt"
)

// Reboot boots the machine again. It returns only if that fails, or if ctx ends first.
func (s *Site) Reboot(ctx context.Context) error {
	if s.deps.Reboot == nil {
		return errorf("usage", "reboot it by hand", "this machine is not one that sallyport reboots")
	}
	s.say("rebooting", "this machine boots again now")
	if err := s.deps.Reboot(ctx); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}
