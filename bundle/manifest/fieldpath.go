package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// every stands for all items of a list in the path of an ImageField.
type every struct{}

// ImageField names a field of a custom resource that holds an image reference, or a list of them.
type ImageField struct {
	APIVersion string `yaml:"apiVersion"` // example.com/v1
	Kind       string `yaml:"kind"`
	// Path is the field's keys joined by dots; [*] after a key goes through a list, [0] takes one item:
	// spec.image, spec.components[*].image.
	Path string `yaml:"path"`
}

var pathSegment = regexp.MustCompile(`^([^.\[\]*\s]+)((?:\[(?:\*|\d{1,6})\])*)$`)

// Check tells what is wrong with the field's path, or with the others if one is empty.
func (f ImageField) Check() error {
	if f.APIVersion == "" || f.Kind == "" {
		return fmt.Errorf("needs apiVersion, kind and path")
	}
	_, err := f.steps()
	return err
}

// steps parses the path: keys (string), list positions (int) and every.
func (f ImageField) steps() ([]any, error) {
	var steps []any
	for _, segment := range strings.Split(f.Path, ".") {
		m := pathSegment.FindStringSubmatch(segment)
		if m == nil {
			return nil, fmt.Errorf("path %q is not one such as spec.components[*].image", f.Path)
		}
		steps = append(steps, m[1])
		for _, index := range strings.FieldsFunc(m[2], func(r rune) bool { return r == '[' || r == ']' }) {
			if index == "*" {
				steps = append(steps, every{})
				continue
			}
			n, err := strconv.Atoi(index)
			if err != nil {
				return nil, err
			}
			steps = append(steps, n)
		}
	}
	return steps, nil
}
