package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// checkDensity refuses JSON that would grow when decoded: a few bytes such as {}, make a whole struct. What sallyport
// writes has long digests in nearly every object, so real documents stay far below these rates.
func checkDensity(b []byte) error {
	objects := bytes.Count(b, []byte{'{'}) + bytes.Count(b, []byte{'['})
	values := bytes.Count(b, []byte{','})
	if objects > 4096+len(b)/32 || values > 65536+len(b)/8 {
		return fmt.Errorf("%d objects and %d values in %d bytes: not a document that sallyport writes", objects, values, len(b))
	}
	return nil
}
