package systemdboot_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot/systemdboottest"
)

// TestBootctl compares the order of entries with that of Debian's bootctl. It wants the root of a file system, so it is given one
// in a mount namespace of its own.
func TestBootctl(t *testing.T) {
	m := systemdboottest.New(t)
	for file, text := range map[string]string{
		"slot-a.conf": "sort-key x\nversion 3", "slot-b+2-1.conf": "sort-key x\nversion 5", "old+0-3.conf": "sort-key a\nversion 9",
		"slot-c.conf": "sort-key x\nmachine-id 00112233445566778899aabbccddeeff\nversion 9", "plain.conf": "version 99", "q.conf": "sort-key x\nversion 3~rc1",
		"zz+1.conf": "title z", ".hidden.conf": "sort-key 0", "no.cfg": "sort-key 0",
	} {
		m.Put("/efi/loader/entries/"+file, text+"\nlinux /slot-a/vmlinuz\n")
	}
	m.Put("/efi/EFI/Linux/rescue.efi", systemdboottest.Image("ID=w\nNAME=rescue\nVERSION_ID=1\n"))
	esp := m.Host.Path("/efi")
	ours, err := systemdboot.Order(esp)
	if err != nil {
		t.Fatal(err)
	}
	script := `mount -t tmpfs none "$2" && cp -r "$1"/. "$2" && SYSTEMD_RELAX_ESP_CHECKS=1 exec bootctl --esp-path="$2" list --json=short`
	out, err := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", script, "sh", esp, t.TempDir()).Output()
	if err != nil {
		t.Skipf("bootctl, or what it needs, is not here: %v", err)
	}
	var theirs []string
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var e struct{ Path string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		theirs = append(theirs, filepath.Base(e.Path))
	}
	if len(ours) < 9 || !slices.Equal(ours, theirs) {
		t.Errorf("the order here:\n%s\nbootctl's:\n%s", fmt.Sprint(ours), fmt.Sprint(theirs))
	}
}

func FuzzImage(f *testing.F) {
	whole := systemdboottest.Image("ID=debian\nVERSION_ID=12\n")
	f.Add(whole)
	f.Add(whole[:0x90])
	f.Add(whole[:0x200])
	f.Add("MZ")
	f.Add(strings.Replace(whole, "PE\x00\x00\x00\x00\x02", "PE\x00\x00\x00\x00\xff", 1))
	f.Add(strings.Replace(whole, ".osrel\x00\x00\x1a", ".osrel\x00\x00\xff", 1))
	f.Fuzz(func(t *testing.T, image string) {
		b, err := systemdboot.ReadRelease(strings.NewReader(image))
		if err == nil && !strings.Contains(image, string(b)) {
			t.Errorf("%q is not in it", b)
		}
	})
}
