package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Restoration is one restore of a backup.
type Restoration struct {
	// ID is the backup's name.
	ID string
	// For names what it is restored for, such as a transaction: for each, a backup is restored once, however often it is
	// asked for. A restore that was cut counts for nothing.
	For string
	// Stopped leaves what works on the data stopped, because the machine is to be rebooted and what runs now must not see them.
	Stopped bool
}

// maxFor bounds Restoration.For.
const maxFor = 200

// Restore puts the data back as they were when a backup was made. It is an *Error with the reason "restore" if that is not
// possible. What was not compared with its digest is not restored, and nothing is touched before all of it was.
func (s *Store) Restore(ctx context.Context, r Restoration) error {
	err := s.restoreOnce(ctx, r)
	if err != nil {
		return failedRestore(r.ID, err)
	}
	return nil
}

func (s *Store) restoreOnce(ctx context.Context, r Restoration) error {
	if r.For == "" || len(r.For) > maxFor || strings.Contains(r.For, "\n") {
		return fmt.Errorf("%q is nothing to restore for", r.For)
	}
	rec, err := s.read(r.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return faultf("restore the data by other means", "there is no such backup")
	}
	if err != nil {
		return err
	}
	mark := filepath.Join(s.dir, r.ID, restoredName)
	if done, err := readSmall(mark, maxFor+1); err == nil && string(done) == r.For+"\n" {
		return nil
	}
	limit := s.cfg.timeout()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, faultf("see what holds it up, or give it longer: spec.data.timeout in site.yaml",
		"it did not end in %s", seconds(limit)))
	defer cancel()
	if err := s.verify(ctx, rec); err != nil {
		return cause(ctx, err)
	}
	if err := s.src.restore(ctx, filepath.Join(s.dir, r.ID, dataName), rec.Note, r.Stopped); err != nil {
		return cause(ctx, err)
	}
	return s.disk.WriteFile(mark, []byte(r.For+"\n"), 0o600)
}
