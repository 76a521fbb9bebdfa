package apply

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// lock is the site's one lock: an flock, so that it ends with its process however that ends.
type lock struct{ f *os.File }

// takeLock locks the state folder dir for verb. While another process has it, the error's reason is "locked" and its
// text says who that is.
func takeLock(dir, verb string) (*lock, error) {
	path := filepath.Join(dir, "lock")
	f, err := durable.OpenLock(path)
	if err != nil {
		return nil, stateError(err)
	}
	err = flock(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, &Error{Word: "locked", Text: "another sallyport holds this site: " + holder(f),
			Advice: "wait until it has finished, then run the same command again"}
	}
	if err == nil {
		// For people only: what counts is the lock itself.
		err = errors.Join(f.Truncate(0), write(f, fmt.Sprintf("pid %d, %s\n", os.Getpid(), verb)))
	}
	if err != nil {
		return nil, errors.Join(stateError(err), f.Close())
	}
	return &lock{f}, nil
}

// flock locks f. It tries for a moment: status looks at the lock by holding it for no longer than that.
func flock(f *os.File) (err error) {
	for range 10 {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// whoHolds tells who has the lock of the state folder dir, as takeLock would: empty if nobody has it. Only the lock's owner
// can tell: for others it is an error.
func whoHolds(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return holder(f), nil
	} else if err != nil {
		return "", err
	}
	return "", unix.Flock(int(f.Fd()), unix.LOCK_UN)
}

func write(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// holder reads what the process that has the lock wrote into it.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 200))
	if err != nil || len(b) == 0 {
		return "it has not said who it is"
	}
	return strings.TrimSpace(string(b))
}

// release gives the lock back. The file stays: removing it would let two processes lock two files of one name. A program that is
// being started at this moment has a duplicate of the open file until it runs, so closing alone would give it back some time later.
func (l *lock) release() error {
	return errors.Join(unix.Flock(int(l.f.Fd()), unix.LOCK_UN), l.f.Close())
}
