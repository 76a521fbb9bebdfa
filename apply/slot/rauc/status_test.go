package rauc

import (
	"strings"
	"testing"
)

// told is what Debian's RAUC 1.8 prints of a machine with two slots, of which one was installed.
const told = `{"compatible":"test","variant":"","booted":"A","boot_primary":"rootfs.1","slots":[{"rootfs.1":{"class":"rootfs","device":"/dev/vda3",` +
	`"type":"raw","bootname":"B","state":"inactive","parent":null,"mountpoint":null,"boot_status":"good","slot_status":{"bundle":{"compatible":"test",` +
	`"version":"2.0"},"checksum":{"sha256":"2cfdac","size":300000},"installed":{"timestamp":"2026-11-29T21:45:20Z","count":1},"status":"ok"}}},` +
	`{"rootfs.0":{"class":"rootfs","device":"/dev/vda2","type":"raw","bootname":"A","state":"booted","parent":null,"mountpoint":null,` +
	`"boot_status":"bad","slot_status":{"bundle":{"compatible":null}}}},{"boot.0":{"class":"boot","bootname":null}}]}`

func TestParseStatus(t *testing.T) {
	s, err := parseStatus([]byte(told + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for bootname, want := range map[string]bool{"A": false, "B": true} {
		if good, err := s.good(bootname); err != nil || good != want {
			t.Errorf("%s: %t, %v", bootname, good, err)
		}
	}
	rauc, one, err := s.named("B")
	if err != nil || rauc != "rootfs.1" || one.Kept.Status != "ok" || one.Kept.Installed.Count != 1 || s.Booted != "A" || s.Primary != "rootfs.1" {
		t.Errorf("%s, %+v, %v", rauc, one, err)
	}
	for _, name := range []string{"C", ""} {
		if _, _, err := s.named(name); err == nil {
			t.Errorf("there is a slot %q", name)
		}
	}
}

func TestStatusIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "not what it should be",
		"Warning: no keyring\n" + told:  "not what it should be",
		told + told:                     "not what it should be",
		"{}":                            "has no slots",
		`{"slots":[{"a":{}},{"a":{}}]}`: "more than once",
		strings.Replace(told, `"bootname":"A"`, `"bootname":"B"`, 1):             "2 slots with bootname=B",
		strings.Replace(told, `"boot_status":"good"`, `"boot_status":"fine"`, 1): "neither good nor bad",
	} {
		s, err := parseStatus([]byte(text))
		if err == nil {
			_, err = s.good("B")
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	for _, seed := range []string{told, "", "{}", `{"slots":[{"a":{"bootname":"A","boot_status":"good"}}]}`, `{"slots":[{},{"":{}}]}`, `[1]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStatus(b)
		if err != nil {
			return
		}
		if good, err := s.good("A"); err == nil && good {
			if _, one, err := s.named("A"); err != nil || one.BootName != "A" || one.Boot != "good" {
				t.Errorf("%q: %+v, %v", b, one, err)
			}
		}
	})
}
