package slot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Name names a slot. The empty name, None, is no slot: what a site without any release runs.
type Name string

// The names of slots.
const (
	None Name = ""
	A    Name = "a"
	B    Name = "b"
)

// Other is the slot beside n; A for None.
func (n Name) Other() Name {
	if n == A {
		return B
	}
	return A
}

// String is the letter as people see it: A or B; "none" for None.
func (n Name) String() string {
	switch n {
	case A:
		return "A"
	case B:
		return "B"
	case None:
		return "none"
	}
	return fmt.Sprintf("%q", string(n))
}

func (n Name) check() error {
	if n != A && n != B {
		return fmt.Errorf("there is no slot %s", n)
	}
	return nil
}

// Store is the pair of slots in a folder. It is for one process at a time: the caller holds the site's lock.
type Store struct {
	dir  string
	disk durable.Disk
}

// Open opens the slots in dir, which it creates if need be, and clears away what a power cut may have left there.
func Open(dir string, disk durable.Disk) (*Store, error) {
	if err := disk.MkdirAll(dir, 0o755); err != nil {
		return nil, failed("open the slots", err)
	}
	s := &Store{dir: dir, disk: disk}
	for _, n := range []Name{A, B} {
		if err := disk.RestoreDir(s.path(n)); err != nil {
			return nil, failed("open the slots", err)
		}
	}
	if err := disk.Sweep(dir); err != nil {
		return nil, failed("open the slots", err)
	}
	return s, nil
}

// View opens the slots in dir for reading only. Nothing is created or cleared away, so no lock is needed; a slot that
// is being replaced at that moment may be reported as damaged.
func View(dir string) *Store { return &Store{dir: dir} }

func (s *Store) path(n Name) string { return filepath.Join(s.dir, string(n)) }

// Fill replaces what is in the slot by r, or leaves it as it was.
func (s *Store) Fill(n Name, r *Release) error {
	if err := n.check(); err != nil {
		return err
	}
	if len(r.Manifest) == 0 {
		return fmt.Errorf("cannot fill slot %s: the release has no manifest", n)
	}
	x := newIndex(r)
	if err := x.validate(); err != nil {
		return fmt.Errorf("cannot fill slot %s: %w", n, err)
	}
	b, err := x.marshal()
	if err != nil {
		return err
	}
	err = s.disk.ReplaceDir(s.path(n), func(dir string) error {
		for _, p := range r.parts() {
			if err := os.WriteFile(filepath.Join(dir, p.name), *p.data(r), 0o600); err != nil {
				return err
			}
		}
		return os.WriteFile(filepath.Join(dir, indexFile), b, 0o600)
	})
	if err != nil {
		return failed("fill slot "+n.String(), err)
	}
	return nil
}

// SetInventory replaces the inventory of a filled slot.
func (s *Store) SetInventory(n Name, inventory []byte) error {
	r, err := s.Load(n)
	if err != nil {
		return err
	}
	r.Inventory = inventory
	return s.Fill(n, r)
}

// Remove empties the slot. An empty one stays empty.
func (s *Store) Remove(n Name) error {
	if err := n.check(); err != nil {
		return err
	}
	if _, err := os.Lstat(s.path(n)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// Deleting file by file would leave, for a moment, what looks like a damaged slot.
	err := s.disk.ReplaceDir(s.path(n), func(string) error { return nil })
	if err == nil {
		err = s.disk.RemoveAll(s.path(n))
	}
	if err != nil {
		return failed("empty slot "+n.String(), err)
	}
	return nil
}

// Load returns what the slot holds: ErrEmpty if that is nothing, a *DamagedError if it is not what was put there.
func (s *Store) Load(n Name) (*Release, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.path(n))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
		return nil, fmt.Errorf("slot %s: %w", n, ErrEmpty)
	case errors.Is(err, syscall.ENOTDIR):
		return nil, &DamagedError{Slot: n, Err: errors.New("it is not a folder")}
	case err != nil:
		return nil, failed("read slot "+n.String(), err)
	}
	x, err := s.loadIndex(n)
	if err != nil {
		return nil, err
	}
	if err := x.known(entries); err != nil {
		return nil, &DamagedError{Slot: n, Err: err}
	}
	r := &Release{}
	for i, p := range x.parts() {
		if *p.data(r), err = s.loadFile(n, x.Files[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (x *index) known(entries []os.DirEntry) error {
	want := map[string]bool{indexFile: true}
	for _, p := range x.parts() {
		want[p.name] = true
	}
	for _, e := range entries {
		if !want[e.Name()] {
			return fmt.Errorf("%s does not belong there", e.Name())
		}
	}
	return nil
}

func (s *Store) loadIndex(n Name) (*index, error) {
	b, err := s.read(n, indexFile, maxIndex)
	if err != nil {
		return nil, err
	}
	x, err := parseIndex(b)
	if err != nil {
		return nil, &DamagedError{Slot: n, File: indexFile, Err: err}
	}
	return x, nil
}

func (s *Store) loadFile(n Name, f file) ([]byte, error) {
	b, err := s.read(n, f.Name, f.Size)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != f.Size {
		return nil, &DamagedError{Slot: n, File: f.Name, Err: fmt.Errorf("it has %d bytes, not %d", len(b), f.Size)}
	}
	if d := digest.FromBytes(b); d != f.Digest {
		return nil, &DamagedError{Slot: n, File: f.Name, Err: fmt.Errorf("its digest is %s, not %s", d, f.Digest)}
	}
	return b, nil
}

// read returns the whole of a regular file of at most max bytes.
func (s *Store) read(n Name, name string, max int64) ([]byte, error) {
	path := filepath.Join(s.path(n), name)
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &DamagedError{Slot: n, File: name, Err: errors.New("it is missing")}
	case err != nil:
		return nil, failed("read slot "+n.String(), err)
	case !st.Mode().IsRegular():
		return nil, &DamagedError{Slot: n, File: name, Err: errors.New("it is not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, failed("read slot "+n.String(), err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	switch {
	case err != nil:
		return nil, failed("read slot "+n.String(), err)
	case int64(len(b)) > max:
		return nil, &DamagedError{Slot: n, File: name, Err: fmt.Errorf("it is longer than %d bytes", max)}
	}
	return b, nil
}
