package cmd

import (
	"errors"
	"io"
	"io/fs"

	"github.com/sallyport-dev/sallyport/bundle"
)

// input is a bundle that is being read, with a bar for as long as it is and nothing better is known.
type input struct {
	*bundle.File
	ui    *ui
	label string
	done  int64
}

// openBundle opens what BUNDLE names on the command line.
func (p *program) openBundle(path, label string) (*input, error) {
	f, err := bundle.OpenFile(path, p.stdin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{"there is no " + path, "check the name, and that the medium is mounted"}
	}
	if err != nil {
		return nil, err
	}
	return &input{File: f, ui: p.ui, label: label}, nil
}

// Read reads on and moves the bar.
func (in *input) Read(b []byte) (int, error) {
	n, err := in.File.Read(b)
	in.done += int64(n)
	if in.label != "" && n > 0 {
		in.ui.reading(in.label, in.done, in.Size())
	}
	return n, err
}

var _ io.ReadCloser = (*input)(nil)
