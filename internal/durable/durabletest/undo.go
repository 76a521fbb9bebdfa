package durabletest

import (
	"io/fs"
	"os"
	"path/filepath"
)

func parent(path string) string { return filepath.Dir(path) }

// save keeps the file or folder at root in memory and returns how to put it back, there or elsewhere.
func save(root string) func(root string) {
	type saved struct {
		rel  string
		mode fs.FileMode
		data []byte
	}
	var all []saved
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is not there: nothing to put back
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s := saved{rel: rel, mode: info.Mode()}
		if info.Mode().IsRegular() {
			s.data, _ = os.ReadFile(path)
		}
		all = append(all, s)
		return nil
	})
	return func(root string) {
		for _, s := range all {
			path := filepath.Join(root, s.rel)
			if s.mode.IsDir() {
				_ = os.MkdirAll(path, s.mode.Perm())
			} else {
				_ = os.WriteFile(path, s.data, s.mode.Perm())
			}
		}
	}
}

func swap(a, b string) {
	temp := a + ".swap"
	_ = os.Rename(a, temp)
	_ = os.Rename(b, a)
	_ = os.Rename(temp, b)
}
