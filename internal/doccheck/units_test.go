package doccheck_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/cmd"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

// setting is one line of a unit.
type setting struct{ section, key, value string }

type unit []setting

// all gives the values of a key, which may be set several times.
func (u unit) all(section, key string) []string {
	var values []string
	for _, s := range u {
		if s.section == section && s.key == key {
			values = append(values, s.value)
		}
	}
	return values
}

func readUnit(t *testing.T, path string) unit {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var u unit
	section := ""
	for _, line := range strings.Split(string(raw), "\n") {
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				t.Fatalf("%s: %q is no setting", path, line)
			}
			u = append(u, setting{section, key, value})
		}
	}
	return u
}

func units(t *testing.T) map[string]unit {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(doccheck.Root(), "docs", "systemd", "sallyport-*"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]unit{}
	for _, f := range files {
		found[filepath.Base(f)] = readUnit(t, f)
	}
	return found
}

func TestUnits(t *testing.T) {
	wants := map[string][]setting{
		"sallyport-confirm.service": {
			{"Service", "Type", "oneshot"},
			{"Service", "ExecStart", "/usr/local/bin/sallyport confirm --reboot --progress none"},
			{"Service", "Restart", "on-failure"},
			{"Service", "RestartPreventExitStatus", "2 3 4 5 6"}, // 1 and 7 are safe to retry
			{"Service", "TimeoutStartSec", "infinity"},
			{"Unit", "ConditionPathExists", "/etc/sallyport/site.yaml"},
			{"Unit", "Wants", "network-online.target"},
			{"Unit", "StartLimitIntervalSec", "0"},
			{"Install", "WantedBy", "multi-user.target"},
			// systemd-bless-boot waits for that target, and must not call a trial good before its checks have.
			{"Install", "RequiredBy", "boot-complete.target"},
			{"Unit", "Before", "boot-complete.target"},
		},
		// In emergency mode the first process feeds the watchdog and starts no unit of ours (systemd#7063): the deadline hangs on
		// no other unit, outlives the change to that mode, and is begun there, too.
		"sallyport-confirm-deadline.timer": {
			{"Timer", "OnBootSec", "15min"}, // the default of spec.slots.deadline
			{"Unit", "DefaultDependencies", "no"},
			{"Unit", "IgnoreOnIsolate", "yes"},
			{"Install", "WantedBy", "sysinit.target emergency.target rescue.target"},
		},
		"sallyport-confirm-deadline.service": {
			{"Service", "ExecStart", "/usr/local/bin/sallyport confirm --deadline --reboot --progress none"},
			{"Service", "SuccessExitStatus", "5 6 7"},
			{"Unit", "DefaultDependencies", "no"},
			{"Unit", "IgnoreOnIsolate", "yes"},
			{"Unit", "OnFailure", "sallyport-confirm-reboot.service"},
		},
		"sallyport-confirm-reboot.service": {
			{"Unit", "DefaultDependencies", "no"},
			{"Unit", "IgnoreOnIsolate", "yes"},
			{"Unit", "ConditionKernelCommandLine", "|sallyport.trial"},
			{"Unit", "SuccessAction", "reboot-force"},
		},
		"sallyport-mirror.service": {
			{"Service", "ExecStart", "/usr/local/bin/sallyport mirror serve --progress none"},
			{"Service", "Restart", "on-failure"},
			{"Service", "RestartPreventExitStatus", "2"},
			{"Service", "ProtectSystem", "strict"},
			{"Service", "ReadWritePaths", "/var/lib/sallyport/mirror"},
			{"Service", "StateDirectory", "sallyport/mirror"}, // else a first start would find nothing to make writable
			{"Service", "CapabilityBoundingSet", ""},
			{"Service", "NoNewPrivileges", "yes"},
			{"Unit", "ConditionPathExists", "/etc/sallyport/site.yaml"},
			{"Install", "WantedBy", "multi-user.target"},
		},
		"sallyport-run.service": {
			{"Service", "Type", "oneshot"},
			{"Service", "ExecStart", "/usr/bin/flock --close /run/sallyport-pass.lock /usr/local/bin/sallyport run --reboot --progress none"},
			{"Service", "TimeoutStartSec", "infinity"},
			{"Unit", "ConditionPathExists", "/etc/sallyport/site.yaml"},
		},
		// Monotonic: a clock that jumps neither skips a pass nor piles them up.
		"sallyport-run.timer": {
			{"Timer", "OnActiveSec", "1min"},
			{"Timer", "OnUnitInactiveSec", "1min"},
			{"Install", "WantedBy", "timers.target"},
		},
		"sallyport-usb@.service": {
			{"Service", "ExecStartPre", "/usr/bin/systemd-mount --collect --quiet --fsck=no --options=ro,nosuid,nodev,noexec /dev/%I /run/sallyport-media/%i"},
			{"Service", "ExecStart", "/usr/bin/flock --close /run/sallyport-pass.lock /usr/local/bin/sallyport run --inbox /run/sallyport-media/%i --reboot --progress none"},
			{"Service", "PrivateMounts", ""}, // the whole host sees the stick
		},
	}
	found := units(t)
	for name, settings := range wants {
		u, ok := found[name]
		if !ok {
			t.Errorf("there is no %s", name)
			continue
		}
		for _, s := range settings {
			if got := u.all(s.section, s.key); strings.Join(got, "\n") != s.value {
				t.Errorf("%s: %s is %q, want %q", name, s.key, got, s.value)
			}
		}
		if strings.HasSuffix(name, ".timer") || u.all("Unit", "DefaultDependencies") != nil {
			for _, key := range []string{"After", "Wants", "Requires", "BindsTo"} {
				if got := u.all("Unit", key); got != nil {
					t.Errorf("%s waits for %q", name, got)
				}
			}
			continue
		}
		after := strings.Fields(strings.Join(append(u.all("Unit", "After"), u.all("Unit", "Before")...), " "))
		for _, other := range []string{"k3s.service", "containerd.service", "network-online.target"} {
			if !slices.Contains(after, other) {
				t.Errorf("%s: its place beside %s is not said", name, other)
			}
		}
	}
	if len(found) != len(wants) {
		t.Errorf("there are %d units, want %d", len(found), len(wants))
	}
}

// What the units run must be verbs and flags of the program, and have the manual page that they name.
func TestUnitsRunVerbs(t *testing.T) {
	ran := 0
	for name, u := range units(t) {
		for _, line := range u.all("Service", "ExecStart") {
			words := strings.Fields(strings.TrimPrefix(line, "/usr/bin/flock --close /run/sallyport-pass.lock "))
			if words[0] != "/usr/local/bin/sallyport" {
				continue
			}
			verb, rest, err := cmd.Tree().Find(words[1:])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err := verb.ParseFlags(rest); err != nil || verb.HasSubCommands() || verb.Flags().NArg() > 0 {
				t.Errorf("%s: %q does not run (%v)", name, line, err)
			}
			page := "man:" + strings.ReplaceAll(verb.CommandPath(), " ", "-") + "(1)"
			if got := u.all("Unit", "Documentation"); !slices.Contains(got, page) {
				t.Errorf("%s names %q, not %s", name, got, page)
			}
			ran++
		}
	}
	if ran != 5 {
		t.Errorf("%d programs are run, want 5", ran)
	}
}

// systemd's own judgement, where it is installed: of the units as they are, except that the program is one that exists
// here. Elsewhere the tests above must do.
func TestUnitsPleaseSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Logf("systemd-analyze is not here, so only the settings that TestUnits names were checked")
		return
	}
	for name := range units(t) {
		raw, err := os.ReadFile(filepath.Join(doccheck.Root(), "docs", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := verify(t, analyze, name, string(raw)); err != nil || out != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	bad := "[Service]\nExecStart=/bin/true\nProtectSistem=strict\n"
	if out, err := verify(t, analyze, "bad.service", bad); !strings.Contains(out, "ProtectSistem") {
		t.Errorf("a wrong unit is passed over: %v\n%s", err, out)
	}
}

func verify(t *testing.T, analyze, name, text string) (output string, err error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	for other := range units(t) { // which it may name
		raw, err := os.ReadFile(filepath.Join(doccheck.Root(), "docs", "systemd", other))
		if err != nil {
			t.Fatal(err)
		}
		writeUnit(t, filepath.Join(dir, other), string(raw))
	}
	writeUnit(t, file, text)
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
	return string(out), err
}

// writeUnit writes a unit whose program is one that exists here.
func writeUnit(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/usr/local/bin/sallyport", "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
}
