package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

const (
	recordName   = "backup.json"
	dataName     = "data"
	restoredName = "restored"

	// spare is what a backup leaves free on its disk, in bytes.
	spare = 64 << 20
	// maxRecord bounds backup.json.
	maxRecord = 64 << 20
	// maxFiles bounds the files of one backup.
	maxFiles = 200_000
)

// Store is a folder of backups. Its methods must not be called at the same time.
type Store struct {
	cfg  Config
	dir  string
	disk durable.Disk
	src  source
	now  func() time.Time
}

// Open returns the backups in dir, which need not exist; nil if the configuration names no data.
func Open(cfg Config, dir string, disk durable.Disk) *Store {
	src := cfg.source(disk)
	if src == nil {
		return nil
	}
	return &Store{cfg: cfg, dir: dir, disk: disk, src: src, now: time.Now}
}

// Info is one backup.
type Info struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"` // when it was begun
	Bytes   int64     `json:"bytes"`
	Files   int       `json:"files"`
	Seconds float64   `json:"seconds"`
	// Version tells the state of the data then from a later one; it may be empty.
	Version string `json:"version,omitempty"`
}

// record is what stands in backup.json.
type record struct {
	Info
	Note    json.RawMessage `json:"note,omitempty"` // the source's own
	Content []content       `json:"content"`
}

// content is a file of a backup.
type content struct {
	Path   string `json:"path"` // below data/
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // sha256, in hexadecimal digits
}

var idSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// Backup saves the data as the backup of that name, in place of an earlier one of the name. It is an *Error with the reason
// "backup" if they cannot be saved whole, in time and within bounds: then nothing is left of it.
func (s *Store) Backup(ctx context.Context, id string) (Info, error) {
	rec := record{Info: Info{ID: id, Time: s.now().UTC()}}
	if err := s.backup(ctx, &rec); err != nil {
		return Info{}, failedBackup(err)
	}
	return rec.Info, nil
}

func (s *Store) backup(ctx context.Context, rec *record) error {
	if !idSyntax.MatchString(rec.ID) {
		return fmt.Errorf("%q is not a name for a backup", rec.ID)
	}
	if err := s.disk.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.disk.Sweep(s.dir); err != nil {
		return err
	}
	if err := s.room(ctx); err != nil {
		return err
	}
	return s.disk.ReplaceDir(filepath.Join(s.dir, rec.ID), func(dir string) error { return s.fill(ctx, dir, rec) })
}

// room looks whether what is to be saved may be that large, and fits.
func (s *Store) room(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.timeout())
	defer cancel()
	want, err := s.src.estimate(ctx)
	if err != nil {
		return err
	}
	if want == 0 { // what the last one took
		if all, err := s.List(); err == nil && len(all) > 0 {
			want = all[len(all)-1].Bytes
		}
	}
	if most := s.cfg.maxBytes(); want > most {
		return tooLarge(want, most)
	}
	return roomFor(s.dir, want)
}

// fill writes a backup into the folder that will take its place.
func (s *Store) fill(ctx context.Context, dir string, rec *record) error {
	data := filepath.Join(dir, dataName)
	if err := errors.Join(os.Chmod(dir, 0o700), os.Mkdir(data, 0o700)); err != nil {
		return err
	}
	watched, stop := s.watch(ctx, data)
	defer stop()
	// The version is of before: what is written meanwhile has moved on since.
	version, err := s.src.version(watched)
	if err != nil {
		return cause(watched, err)
	}
	note, err := s.src.save(watched, data)
	if err != nil || watched.Err() != nil {
		return cause(watched, err)
	}
	rec.Version, rec.Note = version, note
	if rec.Content, err = contentOf(watched, data); err != nil {
		return cause(watched, err)
	}
	for _, c := range rec.Content {
		rec.Bytes += c.Size
	}
	rec.Files, rec.Seconds = len(rec.Content), s.now().Sub(rec.Time).Round(time.Millisecond).Seconds()
	switch most := s.cfg.maxBytes(); {
	case rec.Bytes == 0:
		return faultf("see what the backup command does, or correct spec.data in site.yaml", "the backup is empty")
	case rec.Bytes > most:
		return tooLarge(rec.Bytes, most)
	}
	b, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordName), append(b, '\n'), 0o600)
}

// cause is why what ran under a context failed: the context's reason if it has ended.
func cause(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if c := context.Cause(ctx); err == nil || !errors.Is(c, ctx.Err()) {
		return c
	}
	return err
}

// List returns the backups that are there, the oldest first. What is no backup is passed over.
func (s *Store) List() ([]Info, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Info
	for _, e := range entries {
		if rec, err := s.read(e.Name()); err == nil {
			all = append(all, rec.Info)
		}
	}
	sortByTime(all)
	return all, nil
}

// Drop removes the oldest backups but the newest Config.Keep, and but those that are named.
func (s *Store) Drop(needed ...string) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, old := range all[:max(0, len(all)-s.cfg.keep())] {
		if contains(needed, old.ID) {
			continue
		}
		if err := s.disk.RemoveAll(filepath.Join(s.dir, old.ID)); err != nil {
			return err
		}
	}
	return nil
}

// Moved tells whether the data have changed since a backup was made, as far as can be told, and how that is known. What cannot
// be told has moved.
func (s *Store) Moved(ctx context.Context, id string) (moved bool, how string) {
	rec, err := s.read(id)
	if err != nil {
		return true, "there is no backup " + id
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.timeout())
	defer cancel()
	now, err := s.src.version(ctx)
	switch {
	case err != nil:
		return true, "the data do not tell their version: " + err.Error()
	case now == "" || rec.Version == "":
		return true, "the data tell no version"
	case now != rec.Version:
		return true, fmt.Sprintf("they were at %s then, and are at %s now", rec.Version, now)
	}
	return false, ""
}
