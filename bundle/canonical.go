package bundle

import (
	"bytes"
	"encoding/json"
)

// canonical is the one byte form of JSON in a bundle: no white space, keys in the order of the type, maps sorted, no
// escapes beyond those that JSON needs (and U+2028 and U+2029), no line end.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// sameJSON tells whether b is the one byte form of v, and if not, where it differs first. It holds no copy of either.
func sameJSON(b []byte, v any) (same bool, at int, err error) {
	c := comparer{want: b}
	e := json.NewEncoder(&c)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return false, 0, err
	}
	return !c.differs && c.at == len(b), c.at, nil
}

// comparer compares what is written to it. The encoder's line end does not count.
type comparer struct {
	want    []byte
	at      int // how much is the same
	differs bool
}

func (c *comparer) Write(p []byte) (int, error) {
	text := p
	if n := len(text); n > 0 && text[n-1] == '\n' {
		text = text[:n-1]
	}
	if c.differs {
		return len(p), nil
	}
	n := firstDifference(c.want[c.at:], text)
	c.at += n
	c.differs = n < len(text)
	return len(p), nil
}
