package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// LoadDir reads the site's own checks from a folder, in the order of the file names:
//
//   - NAME.yaml holds checks as release.yaml does, a list under the key checks
//   - an executable file is an exec check with the file's name and the usual defaults
//   - the folders required.d and wanted.d, laid out as greenboot's, hold executable files: each is asked once, and again as
//     long as it exits with status 21; those in wanted.d are forgiven
//
// Hidden files, and those that editors and package managers leave (NAME~, NAME.bak, NAME.dpkg-old, README), are passed
// over. Any other file is an error: a script without its executable bit would never be asked and nobody would know.
// So is a file that others can write, or put there, because checks run as the user who applies releases.
func LoadDir(dir string) ([]bundle.Check, error) {
	entries, err := os.ReadDir(dir)
	if err == nil {
		err = ownfile.Check(dir)
	}
	if err != nil {
		return nil, dirError(dir, err, "make the folder, or correct spec.checksDir in site.yaml")
	}
	var all []bundle.Check
	for _, e := range entries {
		if passedOver(e.Name()) {
			continue
		}
		load := loadFile
		if isScripts(e.Name()) {
			load = loadScripts
		}
		checks, err := load(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, checks...)
	}
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.Name] {
			return nil, dirError(dir, fmt.Errorf("two checks have the name %s", c.Name), "rename one of them")
		}
		seen[c.Name] = true
	}
	return all, nil
}

func passedOver(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "README") || strings.HasSuffix(name, "~") ||
		slices.Contains([]string{".bak", ".md", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".rpmnew", ".rpmsave"}, filepath.Ext(name))
}

func loadFile(path string) ([]bundle.Check, error) {
	st, err := os.Stat(path)
	if err == nil && st.Mode().IsRegular() {
		err = ownfile.Check(path)
	}
	switch {
	case err != nil:
		return nil, dirError(path, err, "remove it, or repair what it points to")
	case !st.Mode().IsRegular():
		return nil, dirError(path, errors.New("it is not a regular file"), "move it elsewhere")
	case slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)):
		return loadYAML(path)
	case st.Mode().Perm()&0o111 == 0:
		return nil, dirError(path, errors.New("it is neither executable nor a .yaml file"), "chmod +x "+path+", or move it elsewhere")
	}
	return fileCheck(path)
}

// fileCheck is the check that runs an executable file.
func fileCheck(path string) ([]bundle.Check, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return []bundle.Check{{Name: filepath.Base(path), Exec: &bundle.ExecCheck{Command: []string{abs}}}}, nil
}

func loadYAML(path string) ([]bundle.Check, error) {
	b, err := ownfile.Read(path, strictyaml.MaxSize)
	if err != nil {
		return nil, dirError(path, err, "make it readable, and keep only checks in it")
	}
	var doc struct {
		Checks []bundle.Check `yaml:"checks"`
	}
	pos, err := strictyaml.Decode(path, b, &doc)
	if err != nil {
		return nil, err
	}
	for i, c := range doc.Checks {
		if err := Validate(c); err != nil {
			return nil, pos.Error(fmt.Sprintf("checks[%d]", i), "does not validate: "+err.Error(), "")
		}
	}
	return doc.Checks, nil
}

// fileError is a file or folder of checks that cannot be used.
type fileError struct {
	path   string
	err    error
	advice string
}

func dirError(path string, err error, advice string) error {
	var own *ownfile.Error
	if errors.As(err, &own) {
		return fmt.Errorf("the site's checks: %w", own)
	}
	return &fileError{path, err, advice}
}

func (e *fileError) Error() string {
	var pe *fs.PathError
	if errors.As(e.err, &pe) {
		return fmt.Sprintf("the site's checks: %s: %v", e.path, pe.Err)
	}
	return fmt.Sprintf("the site's checks: %s: %v", e.path, e.err)
}

func (e *fileError) Unwrap() error { return e.err }

// Reason is the stable word for scripts.
func (e *fileError) Reason() string { return "checks" }

// Hint says what to do next.
func (e *fileError) Hint() string { return e.advice }
