// Package oneline makes foreign text fit for a terminal, a log and the journal. Messages of registries, API servers and
// programs may hold anything: escape sequences that move the cursor, marks that turn the direction of writing, pages.
package oneline

import (
	"strings"
	"unicode"
)

// Clean returns s on one line: without anything that does not print, with single spaces, and if it has more than most
// bytes, cut there and marked with an ellipsis.
func Clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
