package apply

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

func TestSetUpBootRefuses(t *testing.T) {
	for name, c := range map[string]struct{ loader, text, want string }{
		"loader":  {"lilo", grubSite("A", ""), `no boot loader "lilo"`},
		"backend": {"grub", least, "spec.slots.backend of /etc/sallyport/site.yaml is none"},
		"no root": {"grub", strings.ReplaceAll(grubSite("A", ""), "root:", "kernel:"), "has no part root"},
		"machine": {"grub", grubSite("A", ""), "GRUB cannot be set up"},
	} {
		cfg, err := parseConfig("/etc/sallyport/site.yaml", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if done, err := cfg.setUpBoot(c.loader, false, host.Host{Root: t.TempDir()}, durable.Disk{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: did %+v, %v, want %q", name, done, err, c.want)
		}
	}
}
