package apply

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

const bothSlots = "a: {boot: A, parts: {root: /dev/a}}, b: {boot: B, parts: {root: /dev/b}}"

// alone is a boot loader without the other witnesses.
func alone(l slot.Loader) slot.Loader {
	if w, ok := l.(interface{ Unwrap() slot.Loader }); ok {
		return w.Unwrap()
	}
	return l
}

// withSlots is a site whose slots are those.
func withSlots(slots string) []byte {
	return []byte(strings.Replace(least, "  trust:", "  slots: {"+slots+"}\n  trust:", 1))
}

func TestUBootConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"", ", uboot: {config: /etc/fw_env.config, single: true}", ", uboot: {}, tries: 7"} {
		text := withSlots("backend: uboot, " + bothSlots + own)
		cfg, err := parseConfig("site.yaml", text)
		if err != nil {
			t.Errorf("%q: %v", own, err)
			continue
		}
		if err := schema.Validate(string(text)); err != nil {
			t.Errorf("%q: the schema refuses it: %v", own, err)
		}
		if l, err := cfg.Spec.Slots.openLoader(host.Host{Root: t.TempDir()}); err != nil || l == nil {
			t.Errorf("%q: %v", own, err)
		}
	}
	for slots, field := range map[string]string{
		"backend: uboot, " + strings.Replace(bothSlots, "boot: A", "boot: a-b", 1):  "spec.slots.a.boot",
		"backend: uboot, " + strings.Replace(bothSlots, "boot: B", "boot: mark", 1): "spec.slots.b.boot",
		"backend: none, uboot: {}": "spec.slots.uboot",
	} {
		if _, err := parseConfig("site.yaml", withSlots(slots)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v, want an error about %s", slots, err, field)
		}
	}
}
