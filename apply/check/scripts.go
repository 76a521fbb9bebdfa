package check

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
)

// The folders of scripts as greenboot has them, so that checksDir may name a folder of greenboot's.
const (
	requiredScripts = "required.d"
	wantedScripts   = "wanted.d"
)

func isScripts(name string) bool { return name == requiredScripts || name == wantedScripts }

// loadScripts reads one of the two folders, in the order of the file names.
func loadScripts(dir string) ([]bundle.Check, error) {
	entries, err := os.ReadDir(dir)
	if err == nil {
		err = ownfile.Check(dir)
	}
	if err != nil {
		return nil, dirError(dir, err, "make it a folder, or remove it")
	}
	var all []bundle.Check
	for _, e := range entries {
		if passedOver(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) {
			return nil, dirError(path, errors.New("it is no script"), "move it to the folder above")
		}
		checks, err := loadFile(path)
		if err != nil {
			return nil, err
		}
		for _, c := range checks {
			c.FailureLimit = new(int)
			if filepath.Base(dir) == wantedScripts {
				c.Required = new(bool)
			}
			all = append(all, c)
		}
	}
	return all, nil
}
