package apply

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

func TestSystemdBootConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	for own, want := range map[string]string{"": "/efi", ", systemdBoot: {}": "/efi", ", systemdBoot: {esp: /boot/efi, xbootldr: /boot}, tries: 7": "/boot/efi"} {
		text := withSlots("backend: systemd-boot, " + bothSlots + own)
		cfg, err := parseConfig("site.yaml", text)
		if err != nil {
			t.Errorf("%q: %v", own, err)
			continue
		}
		if err := schema.Validate(string(text)); err != nil {
			t.Errorf("%q: the schema refuses it: %v", own, err)
		}
		l, err := cfg.Spec.Slots.openLoader(host.Host{Root: t.TempDir()})
		if got, ok := alone(l).(*systemdboot.Loader); err != nil || !ok || got.ESP != want {
			t.Errorf("%q: %+v, %v", own, l, err)
		}
	}
	for slots, field := range map[string]string{
		"backend: systemd-boot, " + strings.Replace(bothSlots, "boot: A", "boot: a+3", 1): "spec.slots.a.boot",
		"backend: systemd-boot, " + strings.Replace(bothSlots, "boot: B", "boot: a", 1):   "spec.slots.b.boot",
		"backend: systemd-boot, " + bothSlots + ", systemdBoot: {esp: efi}":               "spec.slots.systemdBoot.esp",
		"backend: none, systemdBoot: {}":                                                  "spec.slots.systemdBoot",
	} {
		if _, err := parseConfig("site.yaml", withSlots(slots)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v, want an error about %s", slots, err, field)
		}
	}
}
