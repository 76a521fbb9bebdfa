package apply

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Room is the space on the disk that holds the site's state, in bytes; both are 0 if it is not known.
type Room struct{ Free, Total int64 }

// Room looks at the disk that holds the state.
func (s *Site) Room() Room {
	d, err := diskOf(s.cfg.Spec.State)
	if err != nil {
		return Room{}
	}
	return Room{Free: d.free, Total: d.total}
}

// Busy tells whether a sallyport works on the site now. This user may not know; then it is false.
func (s *Site) Busy() bool {
	who, err := whoHolds(s.cfg.Spec.State)
	return err == nil && who != ""
}

// Stamp changes whenever what Status tells may have: it is made of the time stamps of the files of the state, and costs next to nothing.
func (s *Site) Stamp() string {
	var b strings.Builder
	for _, path := range []string{s.journalPath(), s.historyPath(), s.freezePath(), s.noticesPath()} {
		if fi, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%d %d ", fi.ModTime().UnixNano(), fi.Size())
		} else {
			b.WriteString("- ")
		}
	}
	if s.Busy() {
		b.WriteString("busy")
	}
	return b.String()
}

// WebCertificate is the file of the web page's certificate and key.
func (s *Site) WebCertificate() string { return s.path("web.pem") }

// Stick is a mounted medium that people carry around.
type Stick struct {
	Folder string // where it is mounted
	// Bundles are the names of files at its top that look like bundles, or first parts of some; a hundred at most.
	Bundles []string
}

// maxStickBundles bounds Stick.Bundles, maxStickNames how many names of a folder are looked at.
const (
	maxStickBundles = 100
	maxStickNames   = 10_000
)

// Sticks finds the media that are mounted.
func (s *Site) Sticks() (all []Stick) {
	mounts, err := s.deps.Host.Mounts()
	if err != nil {
		return nil
	}
	for _, m := range mounts {
		if s.portable(m) {
			all = append(all, Stick{m.Point, bundlesIn(m.Point)})
		}
	}
	return all
}

// bundlesIn lists the bundles of a folder by their names.
func bundlesIn(dir string) (names []string) {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	found, _ := f.ReadDir(maxStickNames) // what could be read counts
	for _, e := range found {
		name := e.Name()
		if e.Type().IsRegular() && !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.001")) && len(names) < maxStickBundles {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
