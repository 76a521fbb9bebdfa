//go:build boot

package bootrig

import (
	"slices"
	"testing"
)

// The loaders whose kernels lie on the ESP live through every scenario but that of a slot without one, for a release brings the
// root alone there. EFI has one try, so nobody waits for three.
func TestFirmwareLoaders(t *testing.T) {
	w := workshop(t)
	for _, l := range []Loader{SystemdBoot(), SystemdBootUKI(), EFI()} {
		without := []string{"no kernel"}
		if l.Name == EFI().Name {
			without = append(without, "nobody confirms")
		}
		scenarios := slices.DeleteFunc(Scenarios(), func(s Scenario) bool { return slices.Contains(without, s.Name) })
		t.Run(l.Name, func(t *testing.T) { playAll(t, newYard(t, w, l, scenarios, nil), scenarios) })
	}
}
