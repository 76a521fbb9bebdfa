package helm

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxArchive bounds the bytes of a packed chart, maxChart those of its files together. The loader bounds each file.
const (
	maxArchive = 32 << 20
	maxChart   = 100 << 20
)

// Chart is the files of a chart, in memory.
type Chart struct {
	path  string // of the folder or archive, for messages
	files []*chart.File
	meta  *chart.Metadata
	notes []string // of the loader
}

// IsChart tells whether a path is a folder with a chart, or by its name an archive of one.
func IsChart(path string) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false
	case info.IsDir():
		_, err := os.Stat(filepath.Join(path, "Chart.yaml"))
		return err == nil
	}
	return strings.HasSuffix(path, ".tgz") || strings.HasSuffix(path, ".tar.gz")
}

// Open reads a chart from a folder, without what its .helmignore names, or from an archive.
func Open(path string) (*Chart, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return load(path, func() (*chart.Chart, error) { return loader.LoadDir(path) })
	}
	if !info.Mode().IsRegular() { // a pipe would wait for ever
		return nil, &kubeyaml.Error{Place: kubeyaml.Place{File: path}, Problem: "this is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(path, f)
}

// Read reads a chart from an archive; path is for messages.
func Read(path string, archive io.Reader) (*Chart, error) {
	limited := &io.LimitedReader{R: archive, N: maxArchive + 1}
	c, err := load(path, func() (*chart.Chart, error) { return loader.LoadArchive(limited) })
	if limited.N == 0 {
		return nil, &kubeyaml.Error{Place: kubeyaml.Place{File: path}, Problem: fmt.Sprintf("this chart is larger than %d bytes", maxArchive)}
	}
	return c, err
}

func load(path string, from func() (*chart.Chart, error)) (*Chart, error) {
	c := &Chart{path: path}
	var loaded *chart.Chart
	var err error
	c.notes = listen(func() { loaded, err = from() })
	place := kubeyaml.Place{File: path}
	if err != nil {
		return nil, &kubeyaml.Error{Place: place, Problem: "this is not a chart that can be read", Err: oneLine(err)}
	}
	size := 0
	for _, f := range loaded.Raw {
		size += len(f.Data)
	}
	if size > maxChart {
		return nil, &kubeyaml.Error{Place: place, Problem: fmt.Sprintf("the files of this chart have more than %d bytes", maxChart),
			Advice: "name in .helmignore what does not belong to the chart"}
	}
	if t := loaded.Metadata.Type; t != "" && t != "application" {
		return nil, &kubeyaml.Error{Place: place, Problem: fmt.Sprintf("this is a %s chart, which has no objects of its own", t),
			Advice: "name a chart that uses it"}
	}
	c.files, c.meta = loaded.Raw, loaded.Metadata
	return c, nil
}

// Name is the chart's name, Version its version, KubeVersion the range of the Kubernetes versions it is for, or empty.
func (c *Chart) Name() string { return c.meta.Name }

// Version is the chart's own version.
func (c *Chart) Version() string { return c.meta.Version }

// KubeVersion is the range of Kubernetes versions that the chart is for; it may be empty.
func (c *Chart) KubeVersion() string { return c.meta.KubeVersion }

// fresh gives the chart as it was read: to render it changes it.
func (c *Chart) fresh() (*chart.Chart, error) {
	files := make([]*loader.BufferedFile, len(c.files))
	for i, f := range c.files {
		files[i] = &loader.BufferedFile{Name: f.Name, Data: slices.Clone(f.Data)}
	}
	ch, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	return ch, c.complete(ch)
}

// complete refuses a chart that lacks a chart it depends on.
func (c *Chart) complete(ch *chart.Chart) error {
	var missing []string
	for _, want := range ch.Metadata.Dependencies {
		if !slices.ContainsFunc(ch.Dependencies(), func(have *chart.Chart) bool { return have.Name() == want.Name }) {
			missing = append(missing, want.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &kubeyaml.Error{Place: kubeyaml.Place{File: c.path}, Advice: "run helm dependency build " + c.path + " first",
		Problem: "this chart lacks charts that it depends on: " + strings.Join(missing, ", ")}
}

// place gives the file of a template, whose name begins with that of the chart.
func (c *Chart) place(template string) kubeyaml.Place {
	_, inside, _ := strings.Cut(template, "/")
	return kubeyaml.Place{File: filepath.Join(c.path, filepath.FromSlash(inside))}
}
