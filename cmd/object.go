package cmd

import (
	"encoding/json"
	"errors"
	"io"
	"syscall"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// output is standard output. It remembers the first failure, so that words nobody got to see do not pass for told. That
// a reader has gone away is none: it has seen what it wanted, and how the verb ended is told by its exit status.
type output struct {
	io.Writer
	err error
}

// Write writes on.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// object prints v as the one JSON object of a verb.
func (p *program) object(v any) error {
	p.ui.end()
	return encode(p.out, v)
}

// encode writes v as a line of JSON that may be shown on a terminal.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(oneline.JSONWriter(w))
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
