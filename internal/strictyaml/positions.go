package strictyaml

import (
	"strings"
)

// Positions remembers on which line every field of a decoded document stands, for errors that only a later
// check can find.
type Positions struct {
	file  string
	lines map[string]int
}

// File is the name that was given to Decode.
func (p *Positions) File() string { return p.file }

// Line gives the line of a field by its dotted path (spec.images[0].name). A field that was left out has the line
// of the nearest one around it; what is not known at all has line 0.
func (p *Positions) Line(path string) int {
	for path != "" {
		if line, ok := p.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return p.lines[""]
}

// Error makes an error about a field: problem is read after the field's path ("is not a version"), hint says what
// to do next and may be empty.
func (p *Positions) Error(path, problem, hint string) *Error {
	return &Error{File: p.file, Line: p.Line(path), Field: path, Problem: problem, Advice: hint}
}
