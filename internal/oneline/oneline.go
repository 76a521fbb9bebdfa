// Package oneline makes foreign text fit for a terminal, a log and the journal. Names in bundles and images, messages of
// registries, API servers and programs may hold anything: escape sequences that move the cursor, marks that turn the
// direction of writing, characters that nobody sees, pages.
//
// There is one rule for all of them, in Escape; Clean and JSON apply it.
package oneline

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape returns s with an escape, as Go writes it, in place of each character that does not show as itself: controls
// (C0, DEL and C1, so ESC and CSI too), line ends, marks of direction, separators other than the space, whatever has no
// width, and bytes that are not UTF-8. What is left cannot do more on a terminal than be read. Escaping again changes
// nothing.
func Escape(s string) string {
	if strings.IndexFunc(s, hidden) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// hidden tells whether a character may not be seen for what it is.
func hidden(r rune) bool {
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// plain has Go's words for the end of a context, which may come from any request, and those for people.
var plain = strings.NewReplacer(context.DeadlineExceeded.Error(), "it took too long", context.Canceled.Error(), "it was interrupted")

// Plain returns s with Go's words for a limit of time and for an interruption in plain ones.
func Plain(s string) string { return plain.Replace(s) }

// Clean returns s in plain words, on one line, with single spaces, escaped, and if it has more than most bytes, cut there
// and marked with an ellipsis.
func Clean(s string, most int) string {
	s = Escape(strings.Join(strings.Fields(Plain(s)), " "))
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// JSON returns JSON with the same characters escaped as its own strings do; line ends between values stay. It means the
// same as before: encoding/json escapes C0 only.
func JSON(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\n' || r != utf8.RuneError && !hidden(r):
			out = append(out, b[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default: // a byte that is not UTF-8 is a RuneError: U+FFFD, as encoding/json has it
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}

// JSONWriter writes JSON to w as the function JSON has it. No Write may end within a character.
func JSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ io.Writer }

func (j jsonWriter) Write(b []byte) (int, error) {
	if _, err := j.Writer.Write(JSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}
