package apply

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// grubSite is a site.yaml with the backend grub and more fields of slots.
func grubSite(bootA, more string) string {
	return strings.Replace(least, "  trust:", fmt.Sprintf("  slots: {backend: grub, a: {boot: %s, parts: {root: /a}}, b: {boot: B, parts: {root: /b}}%s}\n  trust:", bootA, more), 1)
}

func TestGRUBConfig(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ bootA, more, env string }{
		{"A", "", "/boot/grub/grubenv"},
		{"system_0", ", tries: 7, grub: {env: /efi/grub/grubenv}", "/efi/grub/grubenv"},
		{"A", ", grub: {env: grubenv, dialect: rauc}", "/etc/sallyport/grubenv"},
	} {
		text := grubSite(c.bootA, c.more)
		got, err := parseConfig("/etc/sallyport/site.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if env := got.Spec.Slots.grubEnv(); env != c.env {
			t.Errorf("%s: the block is %s", c.more, env)
		}
		if l, err := got.Spec.Slots.openLoader(host.Host{}); err != nil || l == nil {
			t.Errorf("%s: %v, %v", c.more, l, err)
		}
		if err := schema.Validate(text); err != nil {
			t.Errorf("%s: the schema refuses it: %v", c.more, err)
		}
	}
}

func TestGRUBConfigRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, field string }{
		"name":    {grubSite("system-0", ""), "spec.slots.a.boot"},
		"dialect": {grubSite("A", ", grub: {dialect: suse}"), "spec.slots.grub.dialect"},
		"tries":   {grubSite("A", ", tries: 2, grub: {dialect: rauc}"), "spec.slots.tries"},
		"backend": {strings.Replace(least, "  trust:", "  slots: {grub: {env: /e}}\n  trust:", 1), "spec.slots.grub"},
		"slots":   {strings.Replace(least, "  trust:", "  slots: {backend: grub}\n  trust:", 1), "spec.slots.a"},
	} {
		_, err := parseConfig("site.yaml", []byte(c.text))
		var e *strictyaml.Error
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s: got %v, want one about %s", name, err, c.field)
		}
	}
}
