package check

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadDir(t *testing.T) {
	type file struct {
		name, content string
		mode          os.FileMode
	}
	yaml := func(name, content string) file { return file{name, content, 0o644} }
	tcp := "checks:\n  - {name: %, tcp: {address: 'a:1'}, timeout: 30s}\n"
	for _, tt := range []struct {
		name  string
		files []file
		want  string // names of the checks
		err   string
	}{
		{"nothing", nil, "", ""},
		{"in order", []file{yaml("20.yaml", strings.ReplaceAll(tcp, "%", "b")), {"10-tills", "#!/bin/sh\n", 0o755},
			yaml("30.yml", strings.ReplaceAll(tcp, "%", "a"))}, "10-tills b a", ""},
		{"passed over", []file{yaml(".hidden.yaml", "?"), yaml("x.yaml~", "?"), yaml("README", "?"), yaml("a.dpkg-old", "?")}, "", ""},
		{"forgotten bit", []file{yaml("tills.sh", "#!/bin/sh\n")}, "", "tills.sh: it is neither executable nor a .yaml file"},
		{"anybody's", []file{{"tills", "#!/bin/sh\n", 0o757}}, "", "tills has mode 0757: everybody can write it"},
		{"unknown field", []file{yaml("a.yaml", "checks:\n  - nam: x\n")}, "", "a.yaml:2: checks[0].nam is not a"},
		{"not valid", []file{yaml("a.yaml", "checks:\n  - {name: x, tcp: {address: nowhere}}\n")}, "", `a.yaml:2: checks[0] does not validate: check "x"`},
		{"as greenboot has them", []file{{"wanted.d/50_printer.sh", "#!/bin/sh\n", 0o755}, {"required.d/20-b", "#!/bin/sh\n", 0o755}, {"required.d/10-a", "#!/bin/sh\n", 0o755},
			yaml("required.d/README", "?"), yaml("tills.yaml", strings.ReplaceAll(tcp, "%", "c"))}, "10-a 20-b c 50_printer.sh", ""},
		{"forgotten bit in a folder", []file{yaml("required.d/tills.sh", "#!/bin/sh\n")}, "", "required.d/tills.sh: it is neither executable nor a .yaml file"},
		{"no script", []file{yaml("wanted.d/a.yaml", "checks: []\n")}, "", "wanted.d/a.yaml: it is no script"},
		{"anybody's script", []file{{"wanted.d/tills", "#!/bin/sh\n", 0o757}}, "", "wanted.d/tills has mode 0757: everybody can write it"},
		{"another folder", []file{{"other.d/tills", "#!/bin/sh\n", 0o755}}, "", "other.d: it is not a regular file"},
		{"one name in two folders", []file{{"required.d/tills", "#!/bin/sh\n", 0o755}, {"wanted.d/tills", "#!/bin/sh\n", 0o755}}, "", "two checks have the name tills"},
		{"same name twice", []file{yaml("a.yaml", strings.ReplaceAll(tcp, "%", "tills")), {"tills", "#!/bin/sh\n", 0o755}}, "", "two checks have the name tills"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range tt.files {
				path := filepath.Join(dir, f.name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(f.content), f.mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, f.mode); err != nil {
					t.Fatal(err)
				}
			}
			checks, err := LoadDir(dir)
			if tt.err != "" {
				var typed interface {
					Reason() string
					Hint() string
				}
				reason := "checks" // or that of a file that does not validate, which is named with its line
				if strings.HasPrefix(tt.err, "a.yaml:") {
					reason = "spec"
				}
				if strings.HasPrefix(tt.name, "anybody's") {
					reason = "permissions"
				}
				if !errors.As(err, &typed) || typed.Reason() != reason || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q with the reason %s", err, tt.err, reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, c := range checks {
				names = append(names, c.Name)
				if err := Validate(c); err != nil {
					t.Error(err)
				}
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	_, err := LoadDir(filepath.Join(t.TempDir(), "missing"))
	if err == nil || !strings.Contains(err.Error(), "missing: no such file or directory") {
		t.Errorf("a folder that is not there: got %v", err)
	}
}
