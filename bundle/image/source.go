package image

import (
	"os"
	"path/filepath"
	"strings"
)

type sourceKind string

const (
	kindRegistry      sourceKind = "docker"
	kindLayout        sourceKind = "oci"
	kindLayoutArchive sourceKind = "oci-archive"
	kindDockerArchive sourceKind = "docker-archive"
)

// source is a parsed source: a path and perhaps a name in it, or just a name for a registry.
type source struct {
	kind sourceKind
	path string
	name string
}

// parseSource reads one of the forms in the package comment. A source without a known prefix is a registry's.
func parseSource(s, dir string) (source, error) {
	prefix, rest, _ := strings.Cut(s, ":")
	kind := sourceKind(prefix)
	switch kind {
	case kindLayout, kindLayoutArchive, kindDockerArchive:
	case kindRegistry:
		if name, ok := strings.CutPrefix(rest, "//"); ok {
			return source{kind: kindRegistry, name: name}, nil
		}
		return source{kind: kindRegistry, name: s}, nil
	default:
		return source{kind: kindRegistry, name: s}, nil
	}
	src := source{kind: kind}
	src.path, src.name = splitPath(rest, dir)
	if src.path == "" {
		return source{}, &Error{Problem: "source " + s + " names no path", Advice: "write " + prefix + ":PATH or " + prefix + ":PATH:NAME"}
	}
	return src, nil
}

// splitPath takes PATH[:NAME] apart at the first colon, unless a file has the whole as its name.
func splitPath(s, dir string) (path, name string) {
	whole := within(dir, s)
	if _, err := os.Lstat(whole); err == nil || !strings.Contains(s, ":") {
		return whole, ""
	}
	path, name, _ = strings.Cut(s, ":")
	return within(dir, path), name
}

func within(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
