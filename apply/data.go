package apply

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-dev/sallyport/apply/backup"
)

// A release with another operating system may bring the site's data, such as the cluster's datastore, to a form that the release
// before cannot read. So they are saved before the loader is armed, and put back, once, when such a release is rolled back.

// Data are the site's data; *backup.Store has them.
type Data interface {
	Backup(ctx context.Context, id string) (backup.Info, error)
	Restore(ctx context.Context, r backup.Restoration) error
	Moved(ctx context.Context, id string) (moved bool, how string)
	List() ([]backup.Info, error)
	Drop(needed ...string) error
}

// backUp saves the data as they are before a transaction, and returns the name of the backup; empty if nothing is to be saved.
func (r *run) backUp(ctx context.Context, transaction uint64) (string, error) {
	if r.deps.Data == nil {
		return "", nil
	}
	r.say("backup", "saving the site's data")
	info, err := r.deps.Data.Backup(ctx, strconv.FormatUint(transaction, 10))
	if err != nil {
		return "", err
	}
	r.say("backup", "%d bytes in %d files, in %v", info.Bytes, info.Files, time.Duration(info.Seconds*float64(time.Second)).Round(time.Second))
	return info.ID, nil
}

// restoreData puts back the data that were saved before the trial, if what was on trial may have written to them. It is done once
// for each transaction, however often it is asked for. Where a reboot follows, what works on the data is left stopped.
func (r *run) restoreData(ctx context.Context, rebooting bool) error {
	b := r.journal.Reboot
	if b == nil || b.Backup == "" || !b.Ran || r.deps.Data == nil {
		return nil
	}
	r.say("data", "putting back what was saved before %s", r.journal.Trial)
	return r.deps.Data.Restore(ctx, backup.Restoration{ID: b.Backup, For: fmt.Sprintf("transaction %d", r.journal.Transaction), Stopped: rebooting})
}

// giveBackData puts the data of a former release back before it is booted, which somebody has asked for.
func (r *run) giveBackData(ctx context.Context) error {
	b := r.journal.Reboot
	if b.Restore == "" || r.deps.Data == nil {
		return nil
	}
	// If this is cut, or the trial fails, what was saved a moment ago is put back.
	if err := r.change(func(j *journal) { j.Reboot = b.touched() }); err != nil {
		return err
	}
	r.say("data", "putting back what was saved before the release that is left")
	return r.deps.Data.Restore(ctx, backup.Restoration{ID: b.Restore, For: fmt.Sprintf("rollback %d", r.journal.Transaction), Stopped: true})
}

// chooseData says what becomes of the data on the way back to the previous release: the name of the backup that is to be put
// back, or none. Where they have moved on, only a person can tell.
func (r *run) chooseData(ctx context.Context, o RollbackOptions) (string, error) {
	if r.deps.Data == nil || o.KeepData {
		return "", nil
	}
	saved := r.journal.Saved
	since, found, err := r.savedAt(saved)
	if err != nil {
		return "", err
	}
	if o.RestoreData && !found {
		return "", errorf("backup", "keep the data: sallyport rollback --keep-data", "there is no backup of the data that %s had", r.journal.Previous)
	}
	if o.RestoreData {
		return saved, nil
	}
	moved, how := r.deps.Data.Moved(ctx, saved)
	switch {
	case !moved:
		return "", nil
	case !found:
		return "", errorf("data", "sallyport rollback --keep-data keeps the data, if that release can read them",
			"the site's data may have changed since %s ran, and there is no backup of them (%s)", r.journal.Previous, how)
	}
	return "", errorf("data", fmt.Sprintf("keep the data, if that release can read them: sallyport rollback --keep-data; or put back the backup and lose what was written since %s: sallyport rollback --restore-data --reboot", since),
		"the site's data have changed since %s ran: %s", r.journal.Previous, how)
}

// savedAt tells when a backup was made.
func (r *run) savedAt(id string) (at string, found bool, err error) {
	all, err := r.deps.Data.List()
	if err != nil {
		return "", false, err
	}
	for _, info := range all {
		if id != "" && info.ID == id {
			return info.Time.UTC().Format(time.RFC3339), true, nil
		}
	}
	return "", false, nil
}

// dropBackups removes the backups that nothing asks for any more. That it fails is no reason to end in any other way.
func (r *run) dropBackups() {
	if r.deps.Data == nil {
		return
	}
	needed := []string{r.journal.Saved}
	if b := r.journal.Reboot; b != nil {
		needed = append(needed, b.Backup, b.Restore)
	}
	if err := r.deps.Data.Drop(needed...); err != nil {
		r.say("note", "old backups of the data are still there: %s", err)
	}
}
