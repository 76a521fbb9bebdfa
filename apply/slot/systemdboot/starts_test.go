package systemdboot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot/systemdboottest"
)

// TestAdvice: a kernel that cannot be loaded sends systemd-boot back to the firmware, so doctor counts how often that starts it.
func TestAdvice(t *testing.T) {
	const own, fallback, other = `\EFI\systemd\systemd-bootx64.efi`, `\EFI\BOOT\BOOTX64.EFI`, `\EFI\debian\grubx64.efi`
	here, elsewhere := systemdboottest.Partition, "6a1d2c3b-1122-4000-8000-00000000000b"
	for _, c := range []struct {
		name    string
		entries [][2]string // partition and path; an entry without a path is not active
		want    string      // a part of the advice; empty for none
	}{
		{"as bootctl install leaves it", [][2]string{{here, own}, {here, fallback}}, "systemd-boot 2 times by BootOrder, and 3 tries need 4"},
		{"enough", [][2]string{{here, own}, {here, own}, {here, strings.ToUpper(own)}, {here, fallback}}, ""},
		{"others' do not count", [][2]string{{here, own}, {here, other}, {elsewhere, own}, {here, own}, {here, ""}}, "systemd-boot 2 times"},
		{"nothing", nil, "systemd-boot 0 times"},
	} {
		m, _ := machine(t)
		setOrder(t, m, c.entries)
		text, mend, err := systemdboot.New(config(m)).Advice(t.Context())
		if err != nil || (text == "") != (c.want == "") || !strings.Contains(text, c.want) || (mend == "") != (text == "") {
			t.Errorf("%s: got %q, %q, %v", c.name, text, mend, err)
		}
	}
}

// setOrder makes boot entries, and BootOrder of them.
func setOrder(t *testing.T, m *systemdboottest.Machine, entries [][2]string) {
	t.Helper()
	put := func(name string, data []byte) {
		m.Put(fmt.Sprintf("%s/%s-%s", efivar.Dir, name, efivar.Global), "\x07\x00\x00\x00"+string(data))
	}
	var order []byte
	for i, e := range entries {
		guid, err := efivar.ParseGUID(e[0])
		if err != nil {
			t.Fatal(err)
		}
		o := efivar.LoadOption{Attributes: efivar.Active, Description: "Linux Boot Manager"}
		if e[1] == "" {
			o.Attributes, e[1] = 0, `\EFI\systemd\systemd-bootx64.efi`
		}
		o.Paths = efivar.File{Partition: guid, Path: e[1]}.DevicePath(efivar.Place{Number: 1, Start: 2048, Size: 4096})
		put(efivar.BootEntry(uint16(i)), o.Append(nil))
		order = append(order, byte(i), 0)
	}
	put(efivar.BootOrder, order)
}
