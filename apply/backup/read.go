package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// read returns what is recorded of a backup.
func (s *Store) read(id string) (*record, error) {
	if !idSyntax.MatchString(id) {
		return nil, fmt.Errorf("%q is not a name of a backup", id)
	}
	path := filepath.Join(s.dir, id, recordName)
	b, err := readSmall(path, maxRecord)
	if err != nil {
		return nil, err
	}
	var rec record
	if err := json.Unmarshal(b, &rec); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if rec.ID != id {
		return nil, fmt.Errorf("%s is of backup %q", path, rec.ID)
	}
	return &rec, nil
}

func readSmall(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return b, err
}

// contentOf lists the files below a folder, with their digests. Links are part of a backup, but not followed.
func contentOf(ctx context.Context, dir string) ([]content, error) {
	all := []content{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || e.IsDir() || e.Type() == fs.ModeSymlink {
			return err
		}
		if len(all) == maxFiles {
			return faultf("keep fewer files there", "the backup has more than %d files", maxFiles)
		}
		if !e.Type().IsRegular() {
			return faultf("let the backup command leave files and folders only", "the backup has %s, which is no file", e.Name())
		}
		c, err := digestOf(ctx, path)
		if err != nil {
			return err
		}
		c.Path, err = filepath.Rel(dir, path)
		all = append(all, c)
		return err
	})
	return all, err
}

func digestOf(ctx context.Context, path string) (content, error) {
	f, err := os.Open(path)
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, &reader{ctx, f})
	return content{Size: n, Digest: hex.EncodeToString(h.Sum(nil))}, err
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// verify compares a backup with what is recorded of it.
func (s *Store) verify(ctx context.Context, rec *record) error {
	found, err := contentOf(ctx, filepath.Join(s.dir, rec.ID, dataName))
	if err != nil {
		return err
	}
	for i, want := range rec.Content {
		if i >= len(found) || found[i] != want {
			return faultf("another backup may be whole: sallyport status lists them", "its file %s is not as it was saved", want.Path)
		}
	}
	if len(found) != len(rec.Content) || len(found) == 0 {
		return errors.New("it has other files than were saved")
	}
	return nil
}

func sortByTime(all []Info) {
	slices.SortStableFunc(all, func(a, b Info) int { return a.Time.Compare(b.Time) })
}

func contains(all []string, s string) bool { return slices.Contains(all, s) }

// seconds prints a duration as people say it.
func seconds(d time.Duration) string {
	if d >= 2*time.Minute {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%g s", d.Round(time.Second/10).Seconds())
}
