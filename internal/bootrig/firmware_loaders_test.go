//go:build boot

package bootrig

import "testing"

// The loaders whose kernels lie on the ESP live through every scenario, and through those that only they can have.
func TestFirmwareLoaders(t *testing.T) {
	t.Parallel()
	w := workshop(t)
	for _, c := range []struct {
		loader    Loader
		scenarios []Scenario
	}{{SystemdBoot(), SystemdBootScenarios()}, {SystemdBootUKI(), SystemdBootScenarios()}, {EFI(), EFIScenarios()}} {
		t.Run(c.loader.Name, func(t *testing.T) {
			t.Parallel()
			playAll(t, newYard(t, w, c.loader, c.scenarios, nil), c.scenarios)
		})
	}
}
