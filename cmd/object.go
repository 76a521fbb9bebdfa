package cmd

import (
	"encoding/json"
	"io"
)

// output is standard output. It remembers the first failure, so that words nobody got to see do not pass for told.
type output struct {
	io.Writer
	err error
}

// Write writes on.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// object prints v as the one JSON object of a verb.
func (p *program) object(v any) error {
	p.ui.endBar()
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
