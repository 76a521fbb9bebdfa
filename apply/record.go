package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

// Before a release is switched to, what is on the target is written down, so that whatever the release takes over from
// others can be made as it was. There is a record for the transaction under way and, until the next release is committed,
// the one of the release that runs. Records have the values of Secrets.

func (s *Site) recordsPath() string { return s.path("records") }

func (s *Site) recordPath(transaction uint64) string {
	return filepath.Join(s.recordsPath(), strconv.FormatUint(transaction, 10)+".json.gz")
}

// record writes down for a transaction what is on the target. It returns the transaction whose record counts: while
// something of an earlier rollback is left, that one's.
func (r *run) record(ctx context.Context, rel *slotRelease, transaction uint64) (uint64, error) {
	if j := r.journal; j.Recorded != 0 && (j.Unrestored != "" || len(j.Left) > 0) {
		return j.Recorded, nil
	}
	if err := r.deps.Disk.MkdirAll(r.recordsPath(), 0o700); err != nil {
		return 0, stateError(err)
	}
	var asked error
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked = r.target.Record(ctx, rel.objects(), r.journal.Live, pw)
		_ = pw.CloseWithError(asked) // never fails
	}()
	_, err := r.deps.Disk.WriteFrom(r.recordPath(transaction), pr, 0o600)
	_ = pr.CloseWithError(err) // never fails
	<-done
	switch {
	case err != nil && asked != nil && errors.Is(err, asked):
		return 0, asked
	case err != nil:
		return 0, stateError(err)
	}
	return transaction, nil
}

// recorded reads a record; nil if there is none that can be read, which costs what others had and no more.
func (r *run) recorded(transaction uint64) *kube.Record {
	if transaction == 0 {
		return nil
	}
	f, err := os.Open(r.recordPath(transaction))
	var record *kube.Record
	if err == nil {
		record, err = kube.ReadRecord(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.say("note", "what was on the target before is not known: %s", oneLine(err.Error()))
		return nil
	}
	return record
}

// dropRecords deletes the records that nothing can ask for any more.
func (r *run) dropRecords() error {
	entries, err := os.ReadDir(r.recordsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return stateError(err)
	}
	keep := map[string]bool{}
	for _, t := range []uint64{r.journal.Recorded, r.journal.Before} {
		keep[filepath.Base(r.recordPath(t))] = t != 0
	}
	for _, e := range entries {
		if keep[e.Name()] {
			continue
		}
		if err := r.deps.Disk.Remove(filepath.Join(r.recordsPath(), e.Name())); err != nil {
			return stateError(fmt.Errorf("drop a record: %w", err))
		}
	}
	return nil
}
