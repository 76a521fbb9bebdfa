// Package ownfile opens files that decide what is run and who is believed, and refuses them where others could have
// changed them: the rule of sshd's StrictModes, for the file, for every folder above it and for every link on the way.
//
// Each must belong to root or to the user who runs the program, and nobody else may be able to write it. A sticky
// folder such as /tmp may be written by all, since what stands in it may be replaced by its owner only; so may a folder
// by its owner's private group (Debian's umask 002), of which nobody else is a member.
package ownfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the links that are followed in one path, as the system does.
const maxLinks = 40

// Error is a file that somebody else could have changed.
type Error struct {
	Path   string // the file, or the folder or link on the way to it
	text   string
	advice string
}

// Error says what is wrong with which file.
func (e *Error) Error() string { return e.Path + " " + e.text }

// Reason is the stable word for scripts.
func (e *Error) Reason() string { return "permissions" }

// Hint is the command that mends it.
func (e *Error) Hint() string { return e.advice }

// Open opens a regular file for reading that nobody else can change. What it returns is what was checked.
func Open(path string) (*os.File, error) {
	// A pipe must not make the caller wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &Error{path, "is not a regular file", "put a file there that belongs to root"}
	}
	if err == nil {
		err = check(path, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Read returns the content of such a file, which must not be longer than max bytes.
func Read(path string, max int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s is larger than %d bytes", path, max)
	}
	return b, err
}

// Check checks the file or folder that is at path, as Open does.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return check(path, info)
}

// check walks to path from the root, and wants to arrive at the file that info tells of.
func check(path string, info fs.FileInfo) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, left := "/", split(abs)
	for links := 0; len(left) > 0; {
		next := filepath.Join(at, left[0])
		left = left[1:]
		st, err := os.Lstat(next)
		if err != nil {
			return err
		}
		if err := own(next, st); err != nil {
			return err
		}
		if st.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return &fs.PathError{Op: "open", Path: path, Err: unix.ELOOP}
		}
		to, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		left = append(split(to), left...)
	}
	arrived, err := os.Lstat(at)
	if err != nil {
		return err
	}
	if !os.SameFile(arrived, info) {
		return fmt.Errorf("%s was replaced while it was read", path)
	}
	return nil
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

// own tells whether only root and the user who runs this can change what is at path.
func own(path string, st fs.FileInfo) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: the system does not tell whose it is", path)
	}
	me := os.Geteuid()
	if sys.Uid != 0 && int(sys.Uid) != me {
		return &Error{path, fmt.Sprintf("belongs to user %d, who could change what this site runs", sys.Uid),
			fmt.Sprintf("chown %d %s", me, path)}
	}
	perm := st.Mode().Perm()
	switch {
	case st.Mode()&fs.ModeSymlink != 0: // its mode says nothing
	case st.IsDir() && st.Mode()&fs.ModeSticky != 0:
	case perm&0o002 != 0:
		return writable(path, perm, "everybody", "o-w")
	case perm&0o020 != 0 && !private(sys.Gid, sys.Uid):
		return writable(path, perm, fmt.Sprintf("group %d", sys.Gid), "g-w")
	}
	return nil
}

func writable(path string, perm fs.FileMode, who, mode string) error {
	if perm&0o022 == 0o022 {
		mode = "go-w"
	}
	return &Error{path, fmt.Sprintf("has mode %04o: %s can write it", perm, who), "chmod " + mode + " " + path}
}
