// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package flate

import "io"

// NewWriterOlder is NewWriterDict; the writer cuts long matches as version 1.14 does.
func NewWriterOlder(w io.Writer, level int, dict []byte) (*Writer, error) {
	z, err := NewWriterDict(w, level, dict)
	if err == nil {
		z.d.tokens.olderLengths = true
	}
	return z, err
}
