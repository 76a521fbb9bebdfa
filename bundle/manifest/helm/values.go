package helm

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxValues bounds a file of values, in bytes.
const maxValues = 8 << 20

// valuesFile is a file of values that was read.
type valuesFile struct {
	path string
	raw  []byte
}

func readValues(paths []string) ([]valuesFile, error) {
	files := make([]valuesFile, len(paths))
	for i, path := range paths {
		raw, err := readSmall(path)
		if err != nil {
			return nil, err
		}
		files[i] = valuesFile{path, raw}
	}
	return files, nil
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	place := kubeyaml.Place{File: path}
	if !info.Mode().IsRegular() {
		return nil, &kubeyaml.Error{Place: place, Problem: "this is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxValues+1))
	if err == nil && len(raw) > maxValues {
		err = &kubeyaml.Error{Place: place, Problem: fmt.Sprintf("this is larger than %d bytes", maxValues)}
	}
	return raw, err
}

// mergeValues gives what the chart's own values are overridden with: the files in their order, then set, as helm's
// --values and --set do it.
func mergeValues(files []valuesFile, set map[string]string) (map[string]any, error) {
	values := map[string]any{}
	for _, f := range files {
		over := map[string]any{}
		if err := yaml.Unmarshal(f.raw, &over); err != nil {
			return nil, kubeyaml.SyntaxError(f.path, 0, errors.Unwrap(err))
		}
		values = merge(values, over)
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if err := strvals.ParseInto(key+"="+set[key], values); err != nil {
			return nil, &SetError{Key: key, Err: oneLine(err)}
		}
	}
	return values, nil
}

// merge lays b over a, maps key by key.
func merge(a, b map[string]any) map[string]any {
	merged := maps.Clone(a)
	for key, v := range b {
		below, fits := merged[key].(map[string]any)
		if over, ok := v.(map[string]any); ok && fits {
			merged[key] = merge(below, over)
			continue
		}
		merged[key] = v
	}
	return merged
}

// SetError is an entry of Options.Set that cannot be read.
type SetError struct {
	Key string
	Err error
}

// Error names the key.
func (e *SetError) Error() string { return fmt.Sprintf("%s cannot be set: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *SetError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *SetError) Reason() string { return "manifest" }

// Hint is what to do next.
func (e *SetError) Hint() string {
	return `values are written as for helm --set, where a comma begins the next key: write \, for a comma, or use a file of values`
}
