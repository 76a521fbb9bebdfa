package grub_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// example is the machine of the script that stands in docs/.
var example = grub.Script{
	A:    grub.ScriptSlot{Name: "A", PartUUID: "aaaaaaaa-0000-4000-8000-00000000000a"},
	B:    grub.ScriptSlot{Name: "B", PartUUID: "bbbbbbbb-0000-4000-8000-00000000000b"},
	Args: grub.DefaultArgs,
}

const published = "../../../docs/boot/grub/sallyport.cfg"

func TestPublishedScript(t *testing.T) {
	text, err := example.Text()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(published, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(published)
	if err != nil || string(have) != text {
		t.Errorf("%s is not what sallyport site init writes (%v): run this test with UPDATE=1", published, err)
	}
}

// GRUB's own parser takes the script, whatever the slots are called.
func TestScriptIsOne(t *testing.T) {
	check := testtools.Tool(t, "grub-script-check", "grub-common")
	long := example
	long.A.Name, long.B.Name, long.B.PartUUID, long.Args = "system_0", "_1", "deadbeef-02", "ro console=ttyS0,115200 quiet"
	for _, s := range []grub.Script{example, long} {
		text, err := s.Text()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), grub.ScriptFile)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(check, file).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		for _, n := range []string{s.A.Name, s.B.Name} {
			if strings.Count(text, n) < 10 {
				t.Errorf("the script hardly speaks of slot %s", n)
			}
		}
	}
}

func TestScriptRefuses(t *testing.T) {
	for name, change := range map[string]func(s *grub.Script){
		"name":      func(s *grub.Script) { s.A.Name = "a b" },
		"no part":   func(s *grub.Script) { s.A.PartUUID = "" },
		"label":     func(s *grub.Script) { s.B.PartUUID = "root-b" },
		"UUID":      func(s *grub.Script) { s.B.PartUUID = "AAAAAAAA-0000-4000-8000-00000000000A" },
		"arguments": func(s *grub.Script) { s.Args = `ro"; reboot; "` },
		"variable":  func(s *grub.Script) { s.Args = `ro $root` },
		"block":     func(s *grub.Script) { s.Block = "../grubenv" },
	} {
		s := example
		if change(&s); s == example {
			t.Fatal(name)
		}
		if text, err := s.Text(); err == nil {
			t.Errorf("%s: got a script of %d bytes", name, len(text))
		}
	}
}
