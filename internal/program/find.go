package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Path is where plain names are looked for. Programs give the same answer from a terminal, a timer and a boot unit, so they see
// none of the caller's environment.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Find looks for a plain name along Path, not along the caller's PATH; any other name must be an absolute path.
func Find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, runnable(name)
	}
	for _, dir := range filepath.SplitList(Path) {
		if p := filepath.Join(dir, name); runnable(p) == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("program %s is not in %s", name, Path)
}

func runnable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("program %s must be a plain name or an absolute path", path)
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("program %s does not exist", path)
	case err != nil:
		return err
	case !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("program %s is not executable", path)
	}
	return nil
}
