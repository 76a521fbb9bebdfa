package apply

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/efi"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

const bothEntries = `, efi: {a: {path: '\EFI\a\linux.efi', partition: 6a1d2c3b-1122-4000-8000-00000000000a}, ` +
	`b: {path: /EFI/b/linux.efi, partition: 6A1D2C3B-1122-4000-8000-00000000000A, options: quiet sallyport.slot=B}}`

func TestEFIConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{bothEntries, bothEntries + ", tries: 1", strings.Replace(bothEntries, "{a:", "{vars: /efivars, a:", 1)} {
		text := withSlots("backend: efi, " + bothSlots + own)
		cfg, err := parseConfig("site.yaml", text)
		if err != nil {
			t.Errorf("%q: %v", own, err)
			continue
		}
		if err := schema.Validate(string(text)); err != nil {
			t.Errorf("%q: the schema refuses it: %v", own, err)
		}
		l, err := cfg.Spec.Slots.openLoader(host.Host{Root: t.TempDir()})
		if got, ok := alone(l).(*efi.Loader); err != nil || !ok || got.B.Options != "quiet sallyport.slot=B" || got.Names.B != "B" || got.A.Same(got.B.File) {
			t.Errorf("%q: %+v, %v", own, l, err)
		}
	}
	for own, field := range map[string]string{
		"": "spec.slots.efi.a",
		strings.Replace(bothEntries, "b: {path: /EFI/b/linux.efi, ", "b: {", 1): "spec.slots.efi.b.path",
		strings.Replace(bothEntries, "/EFI/b/", "/EFI/A/", 1):                   "spec.slots.efi.b",
		strings.Replace(bothEntries, "00000000000a}", "0a}", 1):                 "spec.slots.efi.a.partition",
		strings.Replace(bothEntries, "{a:", "{vars: efivars, a:", 1):            "spec.slots.efi.vars",
		strings.Replace(bothEntries, "slot=B", "slot=A", 1):                     "spec.slots.efi.b.options",
		bothEntries + ", tries: 3":                                              "spec.slots.tries",
	} {
		if _, err := parseConfig("site.yaml", withSlots("backend: efi, "+bothSlots+own)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%q: got %v, want an error about %s", own, err, field)
		}
	}
	if _, err := parseConfig("site.yaml", withSlots("backend: none"+bothEntries)); err == nil || !strings.Contains(err.Error(), "spec.slots.efi") {
		t.Errorf("got %v", err)
	}
}
