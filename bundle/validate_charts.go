package bundle

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// charts checks what the descriptor tells of Helm charts.
func (v *validator) charts() error {
	if len(v.d.Charts) > MaxCharts {
		return fmt.Errorf("charts has %d entries, more than %d", len(v.d.Charts), MaxCharts)
	}
	hooks := 0
	for _, c := range v.d.Charts {
		for _, name := range []string{c.Name, c.Version, c.Release, c.Namespace} {
			if !validWord(name) {
				return fmt.Errorf("chart %q: %q is no name or version", c.Name, name)
			}
		}
		if hooks += len(c.Hooks); hooks > MaxObjects {
			return fmt.Errorf("charts name more than %d hooks", MaxObjects)
		}
		for _, h := range c.Hooks {
			if !validWord(h.Kind) || !validWord(h.Name) || h.Namespace != "" && !validWord(h.Namespace) {
				return fmt.Errorf("chart %s: %q does not name a hook", c.Name, h)
			}
		}
	}
	return nil
}

// validWord tells whether text is short, not empty, and what a terminal can show.
func validWord(text string) bool {
	if text == "" || len(text) > 253 || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
