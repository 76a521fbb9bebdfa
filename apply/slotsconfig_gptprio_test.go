package apply

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

func TestGPTPrioConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	text := withSlots("backend: gptprio, " + bothSlots + ", gptprio: {disk: /dev/disk/by-id/x}")
	cfg, err := parseConfig("site.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(string(text)); err != nil {
		t.Error(err)
	}
	if l, err := cfg.Spec.Slots.openLoader(host.Host{Root: t.TempDir()}); err != nil || l == nil {
		t.Error(err)
	}
	for slots, field := range map[string]string{
		"backend: gptprio, " + bothSlots:                                            "spec.slots.gptprio.disk",
		"backend: gptprio, " + bothSlots + ", gptprio: {disk: ''}":                  "spec.slots.gptprio.disk",
		"backend: uboot, " + bothSlots + ", gptprio: {disk: /dev/disk/by-id/other}": "spec.slots.gptprio",
	} {
		if _, err := parseConfig("site.yaml", withSlots(slots)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v, want an error about %s", slots, err, field)
		}
		if schema.Validate(string(withSlots(slots))) == nil {
			t.Errorf("%s: the schema takes it", slots)
		}
	}
}
