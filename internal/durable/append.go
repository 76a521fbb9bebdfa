package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// AppendLine adds line and a newline to the file at path, which it creates if need be and gives perm, and flushes it.
// A power cut can leave the last line torn, that is without its newline; such a tail was never reported as written,
// so the next AppendLine cuts it off and readers ignore it: see Lines. A line may not hold a newline.
func (d Disk) AppendLine(path string, line []byte, perm fs.FileMode) error {
	if bytes.IndexByte(line, '\n') >= 0 {
		return fmt.Errorf("cannot append to %s: the line holds a newline", path)
	}
	if err := d.appendLine(path, line, perm); err != nil {
		return fmt.Errorf("cannot append to %s: %w", path, err)
	}
	return nil
}

func (d Disk) appendLine(path string, line []byte, perm fs.FileMode) (err error) {
	parent, err := d.openDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer parent.Close()
	var f *os.File
	err = d.do(Op{Kind: OpCreate, Path: path}, func() (err error) {
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, perm); err != nil {
			return err
		}
		return f.Chmod(perm)
	})
	if f != nil {
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	if err != nil {
		return err
	}
	end, err := d.cutTail(f)
	if err != nil {
		return err
	}
	// One write: a tail without newline is then the only trace that a power cut can leave.
	data := append(bytes.Clone(line), '\n')
	err = d.do(Op{Kind: OpWrite, Path: path}, func() error {
		_, err := f.WriteAt(data, end)
		return err
	})
	if err != nil {
		return err
	}
	if err := d.sync(f); err != nil {
		return err
	}
	return d.syncDir(parent)
}

// cutTail removes what stands after the last newline and returns the size that is left.
func (d Disk) cutTail(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end, err := lastLineEnd(f, info.Size())
	if err != nil || end == info.Size() {
		return end, err
	}
	return end, d.do(Op{Kind: OpTruncate, Path: f.Name()}, func() error { return f.Truncate(end) })
}

// lastLineEnd returns the offset after the last newline of the first size bytes, 0 if there is none.
func lastLineEnd(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 4096)
	for end := size; end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := r.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// Lines returns the complete lines of data, without their newlines; a torn tail is left out.
func Lines(data []byte) [][]byte {
	var lines [][]byte
	for {
		line, rest, found := bytes.Cut(data, []byte{'\n'})
		if !found {
			return lines
		}
		lines = append(lines, line)
		data = rest
	}
}
