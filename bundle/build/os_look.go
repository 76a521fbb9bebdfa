package build

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What confirms a trial after a reboot, as docs/systemd ships it, and what it needs.
const (
	confirmUnit   = "sallyport-confirm.service"
	deadlineTimer = "sallyport-confirm-deadline.timer"
	defaultSite   = "/etc/sallyport/site.yaml"
)

// unitFolders are where systemd looks for units, the first before the others (systemd.unit(5)).
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// lookForConfirm tells whether anybody in the operating system can ever call a release good: nobody else does, and every
// site falls back to what it ran before. What is found in any part counts, since /usr may be a part of its own.
func (b *builder) lookForConfirm(roots []rooted) {
	if b.spec.OS == nil {
		return
	}
	l := &look{roots: roots}
	if !l.system() {
		b.say("note", "whether the operating system can call a release good is not known: no part that can be read holds a system with %s", confirmUnit)
		return
	}
	names := make([]string, len(roots))
	for i, r := range roots {
		names[i] = r.Name
	}
	l.confirm()
	if l.fault != nil {
		b.say("note", "whether the operating system can call a release good is not known: %v", l.fault)
		return
	}
	for _, missing := range l.missing {
		b.warn("the operating system (part %s) %s: after the reboot nobody in it says that the release is good, and every site goes back to what it ran before",
			strings.Join(names, ", "), missing)
	}
	if len(l.missing) == 0 && !l.enabled(deadlineTimer) {
		b.warn("the operating system (part %s) has no %s that something wants: a trial that ends in emergency mode, or that nobody decides, stays until somebody boots the machine",
			strings.Join(names, ", "), deadlineTimer)
	}
}

// look is one search through file systems.
type look struct {
	roots   []rooted
	missing []string // what the operating system lacks
	fault   error    // why that is not known
}

// has tells whether a path leads to something in any of the file systems; in one that is /usr by itself, without that.
func (l *look) has(name string) bool {
	for _, r := range l.roots {
		for _, p := range []string{name, strings.TrimPrefix(name, "/usr")} {
			_, _, err := r.fs.Find(p)
			if err == nil {
				return true
			}
			if !errors.Is(err, fs.ErrNotExist) && l.fault == nil {
				l.fault = err
			}
		}
	}
	return false
}

// read gives a small file of any of the file systems; nil if none has it.
func (l *look) read(name string) []byte {
	for _, r := range l.roots {
		for _, p := range []string{name, strings.TrimPrefix(name, "/usr")} {
			if b, err := r.fs.ReadFile(p); err == nil {
				return b
			}
		}
	}
	return nil
}

func (l *look) list(name string) []string {
	var names []string
	for _, r := range l.roots {
		for _, p := range []string{name, strings.TrimPrefix(name, "/usr")} {
			list, err := r.fs.List(p)
			if err != nil && l.fault == nil {
				l.fault = err
			}
			names = append(names, list...)
		}
	}
	return names
}

// system tells whether there is a system to be booted in the file systems, and not data alone.
func (l *look) system() bool {
	return slices.ContainsFunc([]string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", "/usr/sbin/init", "/etc/os-release", "/usr/lib/os-release"}, l.has)
}

// confirm looks for the unit, whether something starts it, for its program and for the way to its site.yaml.
func (l *look) confirm() {
	var unit []byte
	for _, dir := range unitFolders {
		if unit == nil {
			unit = l.read(dir + "/" + confirmUnit)
		}
	}
	if unit == nil {
		l.missing = append(l.missing, "has no unit "+confirmUnit)
		return
	}
	if !l.enabled(confirmUnit) {
		l.missing = append(l.missing, "has "+confirmUnit+", and no target wants it (systemctl --root=DIR enable "+confirmUnit+")")
	}
	program, site := started(string(unit))
	if program == "" || !l.has(program) {
		l.missing = append(l.missing, "has no program "+program+", which "+confirmUnit+" starts")
	}
	if !l.leadsTo(site) {
		l.missing = append(l.missing, "has no "+site+", nor a mount that could bring it")
	}
}

// enabled tells whether a target or another unit pulls a unit in, by a link as systemctl enable makes it.
func (l *look) enabled(unit string) bool {
	for _, dir := range unitFolders {
		for _, name := range l.list(dir) {
			if ext := path.Ext(name); ext != ".wants" && ext != ".requires" {
				continue
			}
			if slices.Contains(l.list(dir+"/"+name), unit) {
				return true
			}
		}
	}
	return false
}

// started reads from a unit which program it starts, and which site.yaml that reads.
func started(unit string) (program, site string) {
	site = defaultSite
	for _, line := range strings.Split(unit, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		words := strings.Fields(value)
		switch {
		case key == "ExecStart" && len(words) > 0:
			program = strings.TrimLeft(words[0], "-@:+!")
			for i, w := range words {
				if w == "--site" && i+1 < len(words) {
					site = words[i+1]
				}
				if s, ok := strings.CutPrefix(w, "--site="); ok {
					site = s
				}
			}
		case key == "Environment":
			for _, w := range words {
				if s, ok := strings.CutPrefix(strings.Trim(w, `"`), "SALLYPORT_SITE="); ok {
					site = s
				}
			}
		}
	}
	return program, site
}

// leadsTo tells whether a file is there or may come to be there: by a mount on one of its folders, or by a symbolic link
// that leads out of the image.
func (l *look) leadsTo(file string) bool {
	if l.has(file) {
		return true
	}
	mounts := mountPoints(string(l.read("/etc/fstab")))
	for dir := path.Dir(file); dir != "/" && dir != "."; dir = path.Dir(dir) {
		unit := strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-") + ".mount"
		if slices.Contains(mounts, dir) || slices.ContainsFunc(unitFolders, func(f string) bool { return l.has(f + "/" + unit) }) {
			return true
		}
		if slices.Contains(l.links(path.Dir(dir)), path.Base(dir)) {
			return true
		}
	}
	return slices.Contains(l.links(path.Dir(file)), path.Base(file))
}

// links names the symbolic links in a folder.
func (l *look) links(dir string) []string {
	var names []string
	for _, r := range l.roots {
		list, err := r.fs.Links(dir)
		if err != nil && l.fault == nil {
			l.fault = err
		}
		names = append(names, list...)
	}
	return names
}

// mountPoints gives the second fields of an fstab(5).
func mountPoints(fstab string) []string {
	var list []string
	for _, line := range strings.Split(fstab, "\n") {
		if f := strings.Fields(line); len(f) > 1 && !strings.HasPrefix(f[0], "#") {
			list = append(list, path.Clean(f[1]))
		}
	}
	return list
}
