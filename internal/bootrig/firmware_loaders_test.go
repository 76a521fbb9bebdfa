//go:build boot

package bootrig

import (
	"slices"
	"testing"
)

// The loaders whose kernels lie on the ESP live through every scenario, and through those that only they can have; systemd-boot does
// with unified kernel images, and with kernels as they are through those in which it matters what it starts.
func TestFirmwareLoaders(t *testing.T) {
	t.Parallel()
	w := workshop(t)
	plain := slices.DeleteFunc(SystemdBootScenarios(), func(s Scenario) bool {
		return !slices.Contains([]string{"commit", "panic", "no kernel", "cannot save"}, s.Name)
	})
	for _, c := range []struct {
		loader    Loader
		scenarios []Scenario
	}{{SystemdBoot(), plain}, {SystemdBootUKI(), SystemdBootScenarios()}, {EFI(), EFIScenarios()}} {
		t.Run(c.loader.Name, func(t *testing.T) {
			t.Parallel()
			playAll(t, newYard(t, w, c.loader, c.scenarios, nil), c.scenarios)
		})
	}
}
