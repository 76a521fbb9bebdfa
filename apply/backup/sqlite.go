package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/program"
)

// The file format is told by https://www.sqlite.org/fileformat2.html.
const (
	sqliteMagic  = "SQLite format 3\x00"
	sqliteHeader = 100 // bytes
)

// companions are the files that belong to a database, by what is put behind its name. The index of its log ("-shm") is worked
// out from the log when the database is opened, so it is not copied.
var companions = []string{"-wal", "-journal", "-shm"}

// isDatabase tells whether a file is a SQLite database.
func isDatabase(path string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() { // to open a pipe is to wait for its other end
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(sqliteMagic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == sqliteMagic
}

// partOfDatabase tells whether a file belongs to a database beside it, and is copied with it.
func partOfDatabase(path string) bool {
	for _, suffix := range companions {
		if main, ok := strings.CutSuffix(path, suffix); ok && isDatabase(main) {
			return true
		}
	}
	return false
}

// copyDatabase copies a database and its log while others go on writing to it. It returns the entries of what it has copied
// beside the database itself. It holds their locks meanwhile: nothing is moved from the log into the database while that is
// copied, and nothing is added to the log while it is.
func copyDatabase(ctx context.Context, path, rel, to string) (more []entry, err error) {
	locks, err := lockDatabase(ctx, path)
	if err != nil {
		return nil, err
	}
	defer locks.release()
	// By the file that is locked: to close another one of the same database gives up the locks of this process.
	if err := copyOpen(ctx, locks.main, to); err != nil {
		return nil, err
	}
	if err := locks.holdLog(ctx); err != nil {
		return nil, err
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		e, err := entryOf(path+suffix, rel+suffix)
		if err == nil {
			err = copyFile(ctx, path+suffix, to+suffix)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		more = append(more, e)
	}
	if err := locks.held(); err != nil {
		return nil, err
	}
	return more, checkHeader(to)
}

// checkHeader looks at what can be seen of a database without SQLite.
func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, sqliteHeader)
	if _, err := io.ReadFull(f, head); err != nil {
		return fmt.Errorf("database %s is cut short: %w", filepath.Base(path), err)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 64 << 10
	}
	if string(head[:len(sqliteMagic)]) != sqliteMagic || page < 512 || page&(page-1) != 0 || info.Size()%page != 0 {
		return fmt.Errorf("database %s is damaged: its header does not fit its size", filepath.Base(path))
	}
	return nil
}

// checkDatabases looks whether the databases below dir, which nobody else uses, are whole: by SQLite's own check where the
// machine has the program sqlite3.
func checkDatabases(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !isDatabase(path) {
			return err
		}
		if err := checkHeader(path); err != nil {
			return err
		}
		return checkIntegrity(ctx, path)
	})
}

func checkIntegrity(ctx context.Context, path string) error {
	if _, err := program.Find("sqlite3"); err != nil {
		return nil //nolint:nilerr // the header and the digests have to do
	}
	said, err := run(ctx, nil, "sqlite3", "-batch", "-init", "/dev/null", path, "PRAGMA integrity_check(1);")
	if said = strings.TrimSpace(said); err == nil && said != "ok" {
		err = fmt.Errorf("database %s is damaged: %s", filepath.Base(path), firstLine(said))
	}
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if len(line) > maxVersion {
		line = line[:maxVersion]
	}
	return line
}
