package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const samplePage = "# Page\n\n```sh image\nnowhere\n```\n\n## One\n\n1. First\n\n   ```sh live bios\n   bios \\\n     more\n   ```\n   ```sh live uefi\n   uefi\n   ```\n" +
	"   ```yaml\n   slots:\n     backend: grub\n   ```\n\n   ```sh live\n   both\n   ```\n\n```sh\nprose\n```\n\n## Two\n\n```sh live\nother\n```\n"

// A script has the commands of its section, its place and its kind of machine, in their order and without their indentation.
func TestScript(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte(samplePage), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ section, place, kind, want string }{
		{"One", "live", "bios", "bios \\\n  more\nboth\n"},
		{"One", "live", "uefi", "uefi\nboth\n"},
		{"Two", "live", "uefi", "other\n"},
		{"Two", "image", "bios", ""},
	} {
		if got := p.Script(c.section, c.place, c.kind); got != c.want {
			t.Errorf("%s, %s, %s: %q, want %q", c.section, c.place, c.kind, got, c.want)
		}
	}
	if got, err := p.Slots("One"); err != nil || got != "slots:\n  backend: grub\n" {
		t.Errorf("slots: %q, %v", got, err)
	}
	if _, err := p.Slots("Two"); err == nil {
		t.Error("a section without slots describes some")
	}
}

// What the page says no more cannot be replaced in it: a test that did so in silence would try something else than the page says.
func TestReplace(t *testing.T) {
	if got, err := Replace("a quiet b", map[string]string{"quiet": "loud"}); err != nil || got != "a loud b" {
		t.Errorf("%q, %v", got, err)
	}
	// What is put there may look like an example.
	if got, err := Replace("/etc /tmp", map[string]string{"/etc": "/tmp/etc", "/tmp": "/tmp/tmp"}); err != nil || got != "/tmp/etc /tmp/tmp" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Replace("a b", map[string]string{"quiet": "loud"}); err == nil || !strings.Contains(err.Error(), "quiet") {
		t.Errorf("an example that is not there: %v", err)
	}
}
