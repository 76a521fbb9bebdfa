package manifest

import (
	"slices"
	"strings"
)

// findObject tells in which file of the tree an object is written: the one with an object of the same kind and name,
// or with a name that the object's contains (kustomize adds prefixes and suffixes), the longest if there are several.
func (t *tree) findObject(o *Object, fallback Place) Place {
	best, place := 0, fallback
	for _, f := range t.files {
		for k := range f.objects {
			model := &f.objects[k]
			if model.Kind() != o.Kind() || !strings.Contains(o.Name(), model.Name()) {
				continue
			}
			if n := len(model.Name()); n > best {
				best, place = n, model.Place
			}
		}
	}
	return place
}

// findImage tells where an image reference is written: in the object's own file, else in any other, else where a
// kustomization sets its name or tag, else at the object.
func (t *tree) findImage(ref string, object Place) Place {
	files := slices.Clone(t.files)
	slices.SortStableFunc(files, func(a, b treeFile) int {
		return boolFirst(a.path == object.File, b.path == object.File)
	})
	for _, f := range files {
		if line := findWord(f.raw, ref, 0); line > 0 {
			start := 0
			if f.path == object.File && object.Line > 0 {
				start = object.Line - 1
			}
			return Place{File: f.path, Line: max(findWord(f.raw, ref, start), line)}
		}
	}
	repository := repositoryOf(ref)
	for _, f := range files {
		if f.role != roleKustomization {
			continue
		}
		if line := findWord(f.raw, repository, 0); line > 0 {
			return Place{File: f.path, Line: line}
		}
	}
	return object
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// repositoryOf takes tag and digest off a reference.
func repositoryOf(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndex(ref, ":"); colon > strings.LastIndex(ref, "/") {
		ref = ref[:colon]
	}
	return ref
}

// findWord gives the first line, counted from 1, after the first skip lines that has the word by itself; 0 if none.
func findWord(raw []byte, word string, skip int) int {
	if word == "" {
		return 0
	}
	for k, line := range strings.Split(string(raw), "\n") {
		if k < skip {
			continue
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r,\"'[]{}", r) })
		if slices.Contains(fields, word) {
			return k + 1
		}
	}
	return 0
}
