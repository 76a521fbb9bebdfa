package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of a folder of receipts.
const (
	maxFiles = 2_000_000
	maxDepth = 16
	batch    = 1024
)

// walk sends the names of the JSON files below dir, and follows no link but dir itself.
func walk(ctx context.Context, dir string, to chan<- string) error {
	w := walker{ctx: ctx, to: to}
	return w.folder(dir, 0)
}

type walker struct {
	ctx   context.Context // of one walk
	to    chan<- string
	files int
}

func (w *walker) folder(dir string, depth int) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var below []string
	for {
		entries, err := f.ReadDir(batch)
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			switch {
			case e.IsDir() && depth < maxDepth:
				below = append(below, path)
			case e.Type().IsRegular() && strings.HasSuffix(strings.ToLower(e.Name()), ".json") && e.Name()[0] != '.':
				if err := w.file(path); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, path := range below {
		if err := w.folder(path, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) file(path string) error {
	if w.files++; w.files > maxFiles {
		return fmt.Errorf("there are more than %d files", maxFiles)
	}
	select {
	case w.to <- path:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}
