package apply

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// With keepImages the state folder has, beside the slots' own parts, a copy of each as it was brought: what runs may write to its
// part, and patches address what was brought.

func (s *Site) copiesPath() string { return s.path("parts") }

func (s *Site) copyPath(d digest.Digest) string { return filepath.Join(s.copiesPath(), d.Encoded()) }

// hasCopy tells whether there is a copy of that size. Its bytes are looked at when they are needed.
func (s *Site) hasCopy(d digest.Digest, size int64) bool {
	info, err := os.Stat(s.copyPath(d))
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// partCopy is a copy that is being written.
type partCopy struct {
	file     *durable.Replacement
	unsynced int64
	over     bool // nothing is left to give up
}

// copyEvery bounds how much of a copy waits in memory to be written, in bytes.
const copyEvery = 16 << 20

func (r *run) newCopy(d digest.Digest) (*partCopy, error) {
	if err := r.deps.Disk.MkdirAll(r.copiesPath(), 0o700); err != nil {
		return nil, stateError(err)
	}
	f, err := r.deps.Disk.Replace(r.copyPath(d), 0o600)
	if err != nil {
		return nil, stateError(err)
	}
	return &partCopy{file: f}, nil
}

func (c *partCopy) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	if c.unsynced += int64(n); err == nil && c.unsynced >= copyEvery {
		c.unsynced = 0
		err = c.file.Flush()
	}
	if err != nil {
		return n, stateError(err)
	}
	return n, nil
}

func (c *partCopy) commit() error {
	err := c.file.Flush()
	if err == nil {
		c.over = true
		err = c.file.Commit()
	}
	if err != nil {
		return stateError(err)
	}
	return nil
}

// close gives up what is not committed.
func (c *partCopy) close() error {
	if c.over {
		return nil
	}
	c.over = true
	return c.file.Discard()
}

// dropCopies removes the copies that no release of the site needs, and what was left of making one.
func (r *run) dropCopies() error {
	entries, err := os.ReadDir(r.copiesPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return stateError(err)
	}
	needed, known := r.neededCopies()
	for _, e := range entries {
		if needed[e.Name()] || !known && len(e.Name()) == digest.SHA256.Size()*2 {
			continue
		}
		if err := r.deps.Disk.RemoveAll(filepath.Join(r.copiesPath(), e.Name())); err != nil {
			return stateError(err)
		}
	}
	return nil
}

// neededCopies are the parts of all releases of the site. It is not known if one of them cannot be read.
func (r *run) neededCopies() (needed map[string]bool, known bool) {
	needed, known = map[string]bool{}, true
	if !r.cfg.Spec.Slots.KeepImages {
		return needed, true
	}
	for _, rel := range []*Release{r.journal.Current, r.journal.Previous, r.journal.Outgoing, r.journal.Staged, r.journal.Trial} {
		if rel == nil || rel.Boot == "" {
			continue
		}
		held, err := r.loadSlot(*rel)
		if err != nil {
			known = false
			continue
		}
		if held.descriptor.OS == nil {
			continue
		}
		for _, p := range held.descriptor.OS.Parts {
			needed[p.Digest.Encoded()] = true
		}
	}
	return needed, known
}
