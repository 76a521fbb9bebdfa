// Package durable is the only writer of state: what it has written survives a power cut, and what it was writing
// when the power went is either all there or not there at all.
//
// A rename alone is not durable: the file's bytes may reach the disk after its name does, and the directory entry
// later still. So every write here opens the directory first (a directory that cannot be opened cannot be made
// durable), writes a temporary file beside the final one, flushes it, renames it, and flushes the directory.
//
// The zero [Disk] is the real disk. Tests put a [Disk] with an Intercept in its place, which sees every single
// operation and may refuse it, let it happen and report failure all the same, or stop the world; see durabletest.
package durable

import (
	"io"
	"io/fs"
)

// Kind names one operation on the disk.
type Kind string

// The operations that a Disk performs, each of which can fail, and before or after each of which the power can go.
const (
	OpOpenDir  Kind = "opendir"  // open the directory that will be flushed
	OpCreate   Kind = "create"   // create a temporary file, or open a file to append to
	OpWrite    Kind = "write"    // write bytes
	OpSync     Kind = "sync"     // flush a file
	OpTruncate Kind = "truncate" // cut the torn tail of a file
	OpRename   Kind = "rename"   // put a temporary file or folder in its place
	OpExchange Kind = "exchange" // swap two folders
	OpSyncDir  Kind = "syncdir"  // flush a directory
	OpMkdir    Kind = "mkdir"    // create one directory
	OpRemove   Kind = "remove"   // remove a file or a whole folder
	OpCall     Kind = "call"     // have something else write: a tool, the firmware; see Disk.Step
)

// Op is one operation on the disk. To is set for OpRename and OpExchange only.
type Op struct {
	Kind Kind
	Path string
	To   string
}

// Disk writes durably. Its zero value is the real disk.
type Disk struct {
	// Intercept, if set, is called in place of each operation; do performs it. For tests of what happens when
	// an operation fails or is the last one before the power goes.
	Intercept func(op Op, do func() error) error
}

func (d Disk) do(op Op, do func() error) error {
	if d.Intercept == nil {
		return do()
	}
	return d.Intercept(op, do)
}

// WriteFile replaces the file at path with data, or creates it, with perm whatever the umask is.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return Disk{}.WriteFile(path, data, perm)
}

// WriteFrom replaces the file at path with what r gives, or creates it. It returns the number of bytes.
func WriteFrom(path string, r io.Reader, perm fs.FileMode) (int64, error) {
	return Disk{}.WriteFrom(path, r, perm)
}

// AppendLine adds line and a newline to the file at path, which it creates if need be.
func AppendLine(path string, line []byte, perm fs.FileMode) error {
	return Disk{}.AppendLine(path, line, perm)
}

// Remove removes the file or empty folder at path; that there is none is no error.
func Remove(path string) error { return Disk{}.Remove(path) }

// RemoveAll removes what is at path, with everything in it; that there is nothing is no error.
func RemoveAll(path string) error { return Disk{}.RemoveAll(path) }

// MkdirAll creates the folder at path and those above it that are missing.
func MkdirAll(path string, perm fs.FileMode) error { return Disk{}.MkdirAll(path, perm) }

// ReplaceDir replaces the folder at path with one that fill has written.
func ReplaceDir(path string, fill func(dir string) error) error {
	return Disk{}.ReplaceDir(path, fill)
}
