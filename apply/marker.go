package apply

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A state folder whose disk is not mounted looks like that of a new site. So the folder holds a marker, an identifier
// that is made with it, and beside site.yaml stands a note of that identifier and of where the disk was mounted. A
// folder without the marker that was noted is refused where its disk is missing; where it is on the disk on which it
// always was, it has been deleted, and the site begins anew.

const maxMarker = 64 << 10 // bytes

func (s *Site) markerPath() string { return s.path("marker") }

// notePath is beside site.yaml; empty for a site without that file.
func (s *Site) notePath() string {
	if s.cfg.path == "" {
		return ""
	}
	return s.cfg.path + ".state"
}

// note is what is remembered of the state folder outside of it.
type note struct{ id, mount string }

func (n note) String() string { return n.id + " " + n.mount + "\n" }

func (s *Site) readNote() *note {
	b, err := readSmall(s.notePath())
	id, mount, ok := strings.Cut(strings.TrimSpace(b), " ")
	if err != nil || !ok || len(id) != len(rand.Text()) || !filepath.IsAbs(mount) {
		return nil
	}
	return &note{id, mount}
}

func (s *Site) readMarker() string {
	b, err := readSmall(s.markerPath())
	if err != nil {
		return ""
	}
	if id := strings.TrimSpace(b); len(id) == len(rand.Text()) {
		return id
	}
	return "" // damaged
}

func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxMarker {
		return "", errors.Join(err, fs.ErrInvalid)
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// unmounted tells that the state folder is not the one that the site has always had. nil: it is, or nothing is known.
func (s *Site) unmounted() *Error {
	n := s.readNote()
	if n == nil {
		return nil
	}
	dir, id := s.cfg.Spec.State, s.readMarker()
	switch {
	case id == n.id:
		return nil
	case id != "":
		return errorf("unmounted", "mount the disk that belongs to this site; if this one is to be it from now on: sallyport site init --state",
			"the state folder %s is not that of this site: its marker is another one", dir)
	case mountOf(dir) != n.mount:
		return errorf("unmounted", fmt.Sprintf("mount %s and try again; if that disk is lost for good: sallyport site init --state, then apply a full bundle", n.mount),
			"the disk that holds the state folder %s is not mounted: it was at %s", dir, n.mount)
	}
	return nil
}

// deleted tells that the state folder was emptied on its own disk.
func (s *Site) deleted() bool {
	return s.readNote() != nil && s.readMarker() == "" && s.unmounted() == nil
}

// mark makes the marker of a state folder that has none, and notes it beside site.yaml, unless both are there. With anew
// the folder gets a new one, whatever was noted.
func (s *Site) mark(anew bool) error {
	n, id := s.readNote(), s.readMarker()
	if id == "" {
		id = rand.Text()
		if n != nil && !anew {
			id = n.id
		}
		if err := s.deps.Disk.WriteFile(s.markerPath(), []byte(id+"\n"), 0o644); err != nil {
			return stateError(err)
		}
	}
	now := note{id, mountOf(s.cfg.Spec.State)}
	if s.notePath() == "" || n != nil && *n == now {
		return nil
	}
	if err := s.deps.Disk.WriteFile(s.notePath(), []byte(now.String()), 0o644); err != nil && anew {
		return err
	}
	// A site whose configuration cannot be written has no note: doctor tells.
	return nil
}

// InitState makes the state folder, its marker and the site's key, and says with it that this is the site's from now on.
func (s *Site) InitState() error {
	if err := s.deps.Disk.MkdirAll(s.cfg.Spec.State, 0o755); err != nil {
		return stateError(err)
	}
	if err := own("spec.state", s.cfg.Spec.State); err != nil {
		return err
	}
	if err := s.mark(true); err != nil {
		return err
	}
	_, err := s.key()
	return err
}

// mountOf is where the file system is mounted that path is on, or would be.
func mountOf(path string) string {
	dev := func(path string) (uint64, bool) {
		var st unix.Stat_t
		err := unix.Stat(path, &st)
		return uint64(st.Dev), err == nil
	}
	for path = filepath.Clean(path); path != filepath.Dir(path); path = filepath.Dir(path) {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
			break
		}
	}
	here, _ := dev(path)
	for path != filepath.Dir(path) {
		if above, ok := dev(filepath.Dir(path)); ok && above != here {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}
