package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// program runs a program and gives what it says.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed (make test installs it)", name)
	}
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// site is the flavour for this machine alone.
func site() (f flavour, arch string) {
	f = flavours[slices.IndexFunc(flavours, func(f flavour) bool { return f.units })]
	return f, runtime.GOARCH
}

// newDist is what make dist makes, for this machine alone.
func newDist(t *testing.T) string {
	t.Helper()
	dist := unbuilt(t)
	f, arch := site()
	if err := os.Remove(filepath.Join(dist, f.file+arch)); err != nil {
		t.Fatal(err)
	}
	program(t, "go", "build", "-C", "../..", "-trimpath", "-buildvcs=false", "-tags", "site", "-o", filepath.Join(dist, f.file+arch), ".")
	return dist
}

// unbuilt is newDist with a few bytes in the program's place.
func unbuilt(t *testing.T) string {
	t.Helper()
	dist := t.TempDir()
	f, arch := site()
	if err := os.WriteFile(filepath.Join(dist, f.file+arch), []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dist, "man"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dist, "man", "sallyport.1"), []byte(".TH SALLYPORT 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"systemd", "boot", "monitoring", "schema"} {
		if err := os.CopyFS(filepath.Join(dist, folder), os.DirFS("../../docs/"+folder)); err != nil {
			t.Fatal(err)
		}
	}
	return dist
}

// make1 makes one package and gives its path.
func make1(t *testing.T, dist, format, version string) string {
	t.Helper()
	f, arch := site()
	before, err := filepath.Glob(filepath.Join(dist, "*."+format))
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range before {
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.make(dist, t.TempDir(), arch, f.archs[arch], format, version, at); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dist, "*."+format))
	if err != nil || len(made) != 1 {
		t.Fatalf("%q, %v", made, err)
	}
	return made[0]
}

func TestPackageVersion(t *testing.T) {
	for described, want := range map[string]string{
		"v1.2.3": "1.2.3", "1.2.3": "1.2.3", "v1.2.3-4-gabc1234": "1.2.3+git.4.gabc1234", "v1.2.3-dirty": "1.2.3+git.dirty",
		"abc1234": "0.0.0~git.abc1234", "abc1234-dirty": "0.0.0~git.abc1234.dirty", "dev": "0.0.0~git.dev",
	} {
		if got := packageVersion(described); got != want {
			t.Errorf("%s: %s, want %s", described, got, want)
		}
	}
	order := []string{"dev", "v0.0.0", "v1.2.3", "v1.2.3-4-gabc1234", "v1.2.4", "v1.10.0"}
	for i := range order[1:] {
		program(t, "dpkg", "--compare-versions", packageVersion(order[i]), "lt", packageVersion(order[i+1]))
	}
}

// Whoever packs the same files gets the same bytes.
func TestReproducible(t *testing.T) {
	dist := unbuilt(t)
	for _, format := range formats {
		var first []byte
		for range 2 {
			b, err := os.ReadFile(make1(t, dist, format, "1.2.3"))
			if err != nil {
				t.Fatal(err)
			}
			if first != nil && !bytes.Equal(first, b) {
				t.Errorf("two packages of the format %s differ", format)
			}
			first = b
			time.Sleep(1100 * time.Millisecond) // until the clock shows another second
		}
	}
}

// Debian's bsdtar reads all three formats, none of which it has written.
func TestContents(t *testing.T) {
	dist := newDist(t)
	for _, format := range formats {
		path := make1(t, dist, format, "1.2.3")
		if format == "deb" {
			to := t.TempDir()
			program(t, "dpkg-deb", "--raw-extract", path, to)
			path = to
			if control := read(t, filepath.Join(to, "DEBIAN/control")); !strings.Contains(control, "Conflicts: sallyport\n") || !strings.Contains(control, "Version: 1.2.3-1\n") {
				t.Errorf("the package says\n%s", control)
			}
		} else {
			to := t.TempDir()
			program(t, "bsdtar", "-x", "-f", path, "-C", to)
			path = to
		}
		if out := program(t, filepath.Join(path, "usr/bin/sallyport"), "--version"); !strings.Contains(out, "sallyport") {
			t.Errorf("%s: the program says %q", format, out)
		}
		for _, name := range []string{"usr/lib/systemd/system/sallyport-run.timer", "usr/lib/udev/rules.d/99-sallyport.rules", "usr/share/man/man1/sallyport.1",
			"usr/share/sallyport/schema/site.schema.json", "usr/share/sallyport/monitoring/alerts.yml"} {
			if fi, err := os.Stat(filepath.Join(path, name)); err != nil || fi.Mode().Perm() != 0o644 || format != "rpm" && !fi.ModTime().Equal(at) { // rpm has the times elsewhere
				t.Errorf("%s: %s is %v, %v", format, name, fi, err)
			}
		}
		units, err := filepath.Glob(filepath.Join(path, "usr/lib/systemd/system/*"))
		if err != nil || len(units) < 5 {
			t.Fatalf("%s: units %q, %v", format, units, err)
		}
		for _, unit := range units {
			if text := read(t, unit); strings.Contains(text, "/usr/local") {
				t.Errorf("%s: %s runs a program that the package does not bring", format, unit)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// dpkg is Debian's, with a root of its own.
type dpkg struct {
	t    *testing.T
	root string
}

func newDpkg(t *testing.T) *dpkg {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("dpkg wants root")
	}
	d := &dpkg{t, t.TempDir()}
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "etc/sallyport", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(d.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.write("var/lib/dpkg/status", "")
	return d
}

func (d *dpkg) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dpkg) run(args ...string) string {
	d.t.Helper()
	return program(d.t, "dpkg", append([]string{"--root=" + d.root, "--force-script-chrootless", "--force-depends"}, args...)...)
}

func (d *dpkg) has(name string) bool {
	_, err := os.Lstat(filepath.Join(d.root, name))
	return err == nil
}

// A package comes, is upgraded, removed and purged: what the site holds stays, also where its state is behind a link.
func TestLifeOfAPackage(t *testing.T) {
	d := newDpkg(t)
	dist := newDist(t)
	kept := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "site.key"), []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kept, filepath.Join(d.root, "var/lib/sallyport")); err != nil {
		t.Fatal(err)
	}
	d.write("etc/sallyport/site.yaml", "mine")
	held := func(when string) {
		t.Helper()
		if read(t, filepath.Join(kept, "site.key")) != "key" || read(t, filepath.Join(d.root, "etc/sallyport/site.yaml")) != "mine" || !d.has("var/lib/sallyport") {
			t.Errorf("%s: something of the site's is gone", when)
		}
	}
	for _, version := range []string{"1.0.0", "1.0.1"} {
		d.run("--install", make1(t, dist, "deb", version))
		held(version)
		if out := program(t, filepath.Join(d.root, "usr/bin/sallyport"), "--version"); !strings.Contains(out, "sallyport") {
			t.Errorf("%s says %q", version, out)
		}
		if d.has("etc/systemd/system/timers.target.wants") || d.has("etc/systemd/system/multi-user.target.wants") {
			t.Errorf("%s: something was enabled", version)
		}
	}
	d.run("--remove", "sallyport-site")
	held("removed")
	if d.has("usr/bin/sallyport") || d.has("usr/lib/systemd/system/sallyport-run.timer") {
		t.Error("removed: the program or a unit is left")
	}
	out := d.run("--purge", "sallyport-site")
	held("purged")
	if !strings.Contains(out, "/var/lib/sallyport is left") || !strings.Contains(out, "/etc/sallyport is left") {
		t.Errorf("a purge says\n%s", out)
	}
}
