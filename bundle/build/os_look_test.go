package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

const dpkgStatus = `Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.0.17-1~deb12u2
Maintainer: nobody <nobody@example.com>
Description: TLS

Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4+deb12u8
Maintainer: nobody <nobody@example.com>
Description: files
`

// system is a Debian that confirms itself; what begins with -> is a symbolic link.
func system(t *testing.T) map[string]string {
	t.Helper()
	unit, err := os.ReadFile(filepath.Join(doccheck.Root(), "docs", "systemd", confirmUnit))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"usr/lib/os-release":                "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian\"\n",
		"etc/os-release":                    "->../usr/lib/os-release",
		"usr/sbin/init":                     "->../lib/systemd/systemd",
		"usr/lib/systemd/systemd":           "a program",
		"sbin":                              "->usr/sbin",
		"lib":                               "->usr/lib",
		"var/lib/dpkg/status":               dpkgStatus,
		"usr/local/bin/sallyport":           "a program",
		"etc/sallyport/site.yaml":           "kind: Site",
		"etc/systemd/system/" + confirmUnit: string(unit),
		"etc/systemd/system/multi-user.target.wants/" + confirmUnit: "->/etc/systemd/system/" + confirmUnit,
		"etc/systemd/system/sysinit.target.wants/" + deadlineTimer:  "->/etc/systemd/system/" + deadlineTimer,
	}
}

// image makes an image of files by a tool that sites' own images are made by.
func (f *factory) image(name string, files map[string]string) {
	f.t.Helper()
	dir := f.t.TempDir()
	for file, text := range files {
		path := filepath.Join(dir, file)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(text, "->"); ok && err == nil {
			err = os.Symlink(target, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	args := []string{"/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", dir, f.path(name), "2m"}
	if filepath.Ext(name) == ".squashfs" {
		args = []string{"/usr/bin/mksquashfs", dir, f.path(name), "-quiet", "-no-progress"}
	}
	if out, err := exec.CommandContext(f.t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		f.t.Fatalf("%s (internal/testtools/setup test installs it): %v\n%s", args[0], err, out)
	}
}

// buildOS builds a release of these parts and gives what it says.
func (f *factory) buildOS(parts ...string) (*Result, []string) {
	f.t.Helper()
	text := "  os:\n    parts:\n"
	for _, p := range parts {
		name, image, _ := strings.Cut(p, "=")
		text += "      - {name: " + name + ", image: ./" + image + "}\n"
	}
	f.write("release-1.0.0.yaml", spec("1.0.0", "  sequence: 1\n"+text))
	var notes []string
	cfg := f.config("1.0.0")
	cfg.Observe = func(e Event) { notes = append(notes, e.Label+": "+e.Text) }
	res := f.build(cfg)
	res.Warnings = slices.DeleteFunc(res.Warnings, func(w string) bool { return !strings.HasPrefix(w, "the operating system") })
	return res, notes
}

// look is what a build says of whether these images confirm themselves.
func (f *factory) look(images ...string) (warned, notes []string) {
	f.t.Helper()
	b := &builder{spec: &Spec{OS: &OSSpec{}}, release: &gathered{}}
	b.Observe = func(e Event) { notes = append(notes, e.Text) }
	for _, image := range images {
		name, _, _ := strings.Cut(image, ".")
		x := &part{PartSpec: PartSpec{Name: name, Image: image}, path: f.path(image)}
		if err := x.digest(f.t.Context(), b.measure("")); err != nil {
			f.t.Fatal(err)
		}
		b.release.parts = append(b.release.parts, x)
	}
	roots, err := b.openRoots()
	if err != nil {
		f.t.Fatal(err)
	}
	b.lookForConfirm(roots)
	if err := closeRoots(roots); err != nil {
		f.t.Fatal(err)
	}
	return b.warned, slices.DeleteFunc(notes, func(n string) bool { return n == "" })
}

// TestSystemThatConfirmsItself is not warned of, whichever file system it is in, and wherever its site.yaml comes from. Its
// packages are listed.
func TestSystemThatConfirmsItself(t *testing.T) {
	f := newFactory(t)
	f.image("root.squashfs", system(t))
	f.image("root.ext4", system(t))
	for _, image := range []string{"root.squashfs", "root.ext4"} {
		res, notes := f.buildOS("root=" + image)
		if len(res.Warnings) > 0 {
			t.Errorf("%s: %q", image, res.Warnings)
		}
		if d := res.Descriptor; len(d.SBOMs) != 2 || d.SBOMs[0].Image != d.OS.Parts[0].Digest || d.SBOMs[0].Packages != 2 || res.Packages != 2 {
			t.Errorf("%s: SBOMs %+v, %d packages; %q", image, d.SBOMs, res.Packages, notes)
		}
	}
	for name, change := range map[string]func(files map[string]string){
		"in fstab": func(s map[string]string) {
			s["etc/fstab"] = "# <file system>\nLABEL=etc /etc/sallyport ext4 defaults 0 2\n"
		},
		"by a mount unit":      func(s map[string]string) { s["etc/systemd/system/etc-sallyport.mount"] = "[Mount]" },
		"by a link to data":    func(s map[string]string) { s["etc/sallyport"] = "->/data/sallyport" },
		"by a link of itself":  func(s map[string]string) { s["etc/sallyport/site.yaml"] = "->/data/site.yaml" },
		"elsewhere, by a flag": func(s map[string]string) { elsewhere(s, "confirm --site /opt/site.yaml") },
	} {
		files := system(t)
		delete(files, "etc/sallyport/site.yaml")
		change(files)
		f.image("root.ext4", files)
		if warned, _ := f.look("root.ext4"); len(warned) > 0 {
			t.Errorf("site.yaml %s: %q", name, warned)
		}
	}
}

// elsewhere lets the unit start the program with another site.yaml.
func elsewhere(s map[string]string, command string) {
	unit := "etc/systemd/system/" + confirmUnit
	s[unit] = strings.Replace(s[unit], "bin/sallyport confirm", "bin/sallyport "+command, 1)
	s["opt/site.yaml"] = "kind: Site"
}

// TestSystemThatNeverConfirms is told of where the release is built: a good update falls back at every site because nobody
// in the new image says "good" (greenboot-rs#173, coreos/bugs#1189).
func TestSystemThatNeverConfirms(t *testing.T) {
	f := newFactory(t)
	for _, test := range []struct {
		name, want string
		change     func(files map[string]string)
	}{
		{"no unit", "has no unit sallyport-confirm.service", func(s map[string]string) { delete(s, "etc/systemd/system/"+confirmUnit) }},
		{"not enabled", "no target wants it", func(s map[string]string) {
			delete(s, "etc/systemd/system/multi-user.target.wants/"+confirmUnit)
		}},
		{"no program", "has no program /usr/local/bin/sallyport", func(s map[string]string) { delete(s, "usr/local/bin/sallyport") }},
		{"no way to site.yaml", "has no /etc/sallyport/site.yaml", func(s map[string]string) { delete(s, "etc/sallyport/site.yaml") }},
		{"another site.yaml", "has no /srv/site.yaml", func(s map[string]string) { elsewhere(s, "confirm --site=/srv/site.yaml") }},
		{"no deadline", "has no sallyport-confirm-deadline.timer that something wants", func(s map[string]string) {
			delete(s, "etc/systemd/system/sysinit.target.wants/"+deadlineTimer)
		}},
		{"a plain Debian", "has no unit", func(s map[string]string) {
			for name := range s {
				if strings.Contains(name, "sallyport") {
					delete(s, name)
				}
			}
		}},
	} {
		files := system(t)
		test.change(files)
		f.image("root.ext4", files)
		if warned, _ := f.look("root.ext4"); len(warned) != 1 || !strings.Contains(warned[0], test.want) || !strings.Contains(warned[0], "(part root)") {
			t.Errorf("%s: %q", test.name, warned)
		}
	}
}

// TestUsrOfItsOwn finds what is spread over two parts.
func TestUsrOfItsOwn(t *testing.T) {
	f := newFactory(t)
	root, usr := map[string]string{}, map[string]string{}
	for name, text := range system(t) {
		if inside, ok := strings.CutPrefix(name, "usr/"); ok {
			usr[inside] = text
		} else {
			root[name] = text
		}
	}
	f.image("root.ext4", root)
	f.image("usr.squashfs", usr)
	if warned, notes := f.look("root.ext4", "usr.squashfs"); len(warned)+len(notes) > 0 {
		t.Errorf("%q, %q", warned, notes)
	}
	if warned, notes := f.look("root.ext4"); len(warned) > 0 || len(notes) != 1 || !strings.Contains(notes[0], "is not known") {
		t.Errorf("without /usr: %q, %q", warned, notes)
	}
}

// TestPartsThatCannotBeRead are said in a note, and a kernel is not: nothing fails.
func TestPartsThatCannotBeRead(t *testing.T) {
	f := newFactory(t)
	erofs := make([]byte, 8192)
	copy(erofs[0x400:], "\xe2\xe1\xf5\xe0")
	f.write("root.erofs", string(erofs))
	f.write("kernel", "MZ"+strings.Repeat("kernel", 500))
	damaged := make([]byte, 8192)
	copy(damaged[0x438:], "\x53\xef")
	f.write("data.ext4", string(damaged))
	res, notes := f.buildOS("root=root.erofs", "kernel=kernel", "data=data.ext4")
	all := strings.Join(notes, "\n")
	if !strings.Contains(all, "part root is not looked into, and has no SBOM: its file system is erofs") ||
		!strings.Contains(all, "part data is not looked into, and has no SBOM: its ext4 cannot be read") || strings.Contains(all, "part kernel is") {
		t.Errorf("notes:\n%s", all)
	}
	if !strings.Contains(all, "is not known: no part that can be read holds a system") {
		t.Errorf("nobody was told that it is not known:\n%s", all)
	}
	if len(res.Descriptor.SBOMs) > 0 || len(res.Warnings) > 0 {
		t.Errorf("SBOMs %+v, warnings %q", res.Descriptor.SBOMs, res.Warnings)
	}
}

// TestPartSBOMsAreReused takes the documents of a part that stays from the base.
func TestPartSBOMsAreReused(t *testing.T) {
	f := newFactory(t)
	f.image("root.ext4", system(t))
	f.buildOS("root=root.ext4")
	f.write("release-2.0.0.yaml", spec("2.0.0", "  os: {image: ./root.ext4}\n"))
	res := f.build(f.config("2.0.0", f.path("out/1.0.0.tar")))
	if s := res.Descriptor.SBOMs; len(s) != 2 || s[0].Form != bundle.FormReuse || s[0].Packages != 2 {
		t.Errorf("got %+v", s)
	}
}
