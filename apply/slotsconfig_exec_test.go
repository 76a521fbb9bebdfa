package apply

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

const bothBundles = "a: {boot: A, parts: {bundle: /var/lib/a.raucb}}, b: {boot: B, parts: {bundle: /var/lib/b.raucb}}"

func TestExecAndRAUCConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	for _, slots := range []string{
		"backend: exec, exec: {command: [/usr/local/sbin/slots]}, " + bothSlots,
		"backend: exec, exec: {command: [slots, --quiet]}, " + bothSlots,
		"backend: rauc, " + bothBundles,
		`backend: rauc, rauc: {bus: "unix:path=/run/rauc"}, ` + bothBundles,
	} {
		cfg, err := parseConfig("site.yaml", withSlots(slots))
		if err != nil {
			t.Errorf("%s: %v", slots, err)
			continue
		}
		if err := schema.Validate(string(withSlots(slots))); err != nil {
			t.Errorf("%s: the schema refuses it: %v", slots, err)
		}
		if l, err := cfg.Spec.Slots.openLoader(host.Host{Root: t.TempDir()}); err != nil || l == nil {
			t.Errorf("%s: %v", slots, err)
		}
	}
	for slots, field := range map[string]string{
		"backend: exec, " + bothSlots:                                     "spec.slots.exec.command",
		"backend: exec, exec: {command: []}, " + bothSlots:                "spec.slots.exec.command",
		`backend: exec, exec: {command: [""]}, ` + bothSlots:              "spec.slots.exec.command",
		"backend: exec, exec: {command: [./slots]}, " + bothSlots:         "spec.slots.exec.command",
		"backend: exec, exec: {command: [slots]}, tries: 3, " + bothSlots: "spec.slots.tries",
		"backend: none, exec: {command: [slots]}":                         "spec.slots.exec",
		"backend: rauc, " + bothSlots:                                     "spec.slots.a.parts",
		"backend: rauc, tries: 2, " + bothBundles:                         "spec.slots.tries",
		"backend: grub, rauc: {}, " + bothSlots:                           "spec.slots.rauc",
	} {
		if _, err := parseConfig("site.yaml", withSlots(slots)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v, want an error about %s", slots, err, field)
		}
	}
}
