package kubeyaml

import (
	"fmt"
	"strings"
)

// Path leads to a field: keys (string) and list positions (int).
type Path []any

// String gives spec.containers[0].image; keys with dots are in brackets.
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if strings.ContainsAny(step, ".[]") {
				fmt.Fprintf(&b, "[%s]", step)
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// With gives a longer path; the old one may be used again.
func (p Path) With(steps ...any) Path { return append(p[:len(p):len(p)], steps...) }
