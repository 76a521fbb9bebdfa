package helm

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// where is how Helm's engine tells where in a template it failed. Of templates that include others the last is meant.
var where = regexp.MustCompile(`(?:template: |error at \()([^\s:()]+):(\d+)(?::\d+)?\)?: `)

// calls is what comes before the message of a function.
var calls = regexp.MustCompile(`^executing "[^"]*" at <.*?>: (?:error calling \w+: )?`)

// fault makes an error of Helm's one that names the template and the line.
func (c *Chart) fault(err error) error {
	text := oneLine(err).Error()
	e := &kubeyaml.Error{Place: kubeyaml.Place{File: c.path}, Problem: "this chart does not render: " + text}
	if all := where.FindAllStringSubmatchIndex(text, -1); all != nil {
		m := all[len(all)-1]
		e.Place = c.place(text[m[2]:m[3]])
		e.Line, _ = strconv.Atoi(text[m[4]:m[5]]) // digits only
		e.Problem = "this template does not render: " + calls.ReplaceAllString(text[m[1]:], "")
	}
	if strings.Contains(text, errLookup.Error()) {
		e.Advice = "give what it looks up as a value, under helm.values or helm.set"
	}
	return e
}
