package cmd

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/bundle"
)

// input is a bundle that is being read, with a bar for as long as it is and nothing better is known.
type input struct {
	*bundle.File
	r     *patientReader
	ui    *ui
	label string
	done  int64
}

// openBundle opens what BUNDLE names on the command line. Neither that nor reading it outlasts ctx or --stall-timeout.
func (p *program) openBundle(ctx context.Context, path, label string) (*input, error) {
	f, err := patiently(ctx, p.stall, path, func() (*bundle.File, error) { return bundle.OpenFile(path, p.stdin) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{"there is no " + path, "check the name, and that the medium is mounted"}
	}
	if err != nil {
		return nil, err
	}
	r := &patientReader{ctx: ctx, r: f, name: f.Name(), limit: p.stall}
	return &input{File: f, r: r, ui: p.ui, label: label}, nil
}

// openForSite opens what BUNDLE names: where that is a folder with several bundles, the one that the site takes.
func (p *program) openForSite(ctx context.Context, s *apply.Site, path, label string, forRepair bool) (*input, error) {
	found, err := patiently(ctx, p.stall, path, func() ([]string, error) {
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			return nil, nil // opening it tells
		}
		return bundle.FindBundles(path)
	})
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		if path, err = p.choose(ctx, s, found, forRepair); err != nil {
			return nil, err
		}
	}
	return p.openBundle(ctx, path, label)
}

func (p *program) choose(ctx context.Context, s *apply.Site, found []string, forRepair bool) (string, error) {
	var all []apply.Candidate
	for _, path := range found {
		all = append(all, apply.Candidate{Name: path, Open: func() (io.ReadCloser, error) { return p.openBundle(ctx, path, "") }})
	}
	i, err := s.Choose(ctx, all, forRepair)
	if err != nil {
		return "", err
	}
	return found[i], nil
}

// Read reads on and moves the bar.
func (in *input) Read(b []byte) (int, error) {
	n, err := in.r.Read(b)
	in.done += int64(n)
	if in.label != "" && n > 0 {
		in.ui.reading(in.label, in.done, in.Size())
	}
	return n, err
}

// blame names the bundle that err is about, or the part of it that is at fault.
func (in *input) blame(err error) error { return blame(in.Name(), in.Locate(err)) }

// Close closes what is read, unless a read of it is stuck.
func (in *input) Close() error {
	if in.r.err != nil {
		return nil
	}
	return in.File.Close()
}

var _ io.ReadCloser = (*input)(nil)
