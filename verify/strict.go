package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// maxFields bounds the keys of an object whose keys are free.
const maxFields = 64

// object is a JSON object of which each key is spelt exactly and stands once. encoding/json's own decoding into structs
// is of no use here: it ignores case, and takes the last of several equal keys.
type object map[string]json.RawMessage

// parseObject reads an object that may have the given keys and no others; without any, keys are free.
func parseObject(b []byte, keys ...string) (object, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	o := object{}
	for dec.More() {
		if err := o.field(dec, keys); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("bytes follow its end")
	}
	return o, nil
}

// field reads a key and its value.
func (o object) field(dec *json.Decoder, keys []string) error {
	tok, err := dec.Token()
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	key, ok := tok.(string)
	if !ok {
		return errors.New("it is not JSON: a key is not a string")
	}
	if len(keys) > 0 && !slices.Contains(keys, key) {
		return fmt.Errorf("unknown field %.64q", key)
	}
	if _, twice := o[key]; twice {
		return fmt.Errorf("field %.64q stands twice", key)
	}
	if len(o) == maxFields {
		return fmt.Errorf("more than %d fields", maxFields)
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return fmt.Errorf("field %.64q is not JSON: %w", key, err)
	}
	o[key] = value
	return nil
}

// text gives a string field; a field that is absent is the empty string.
func (o object) text(key string) (string, error) {
	raw, ok := o[key]
	if !ok {
		return "", nil
	}
	var s string
	if raw[0] != '"' {
		return "", fmt.Errorf("field %q is not a string", key)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("field %q: %w", key, err)
	}
	return s, nil
}

// binary gives a field of bytes. Of base64's spellings only the one that Protobuf writes is taken.
func (o object) binary(key string) ([]byte, error) {
	s, err := o.text(key)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return nil, fmt.Errorf("field %q is not base64", key)
	}
	return b, nil
}

// only gives the one element of a field that is a list.
func (o object) only(key string) (json.RawMessage, error) {
	raw, ok := o[key]
	if !ok {
		return nil, fmt.Errorf("field %q is missing", key)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('[') {
		return nil, fmt.Errorf("field %q is not a list", key)
	}
	var value json.RawMessage
	if !dec.More() {
		return nil, fmt.Errorf("field %q is empty", key)
	}
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("field %q: %w", key, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("field %q has more than one element", key)
	}
	return value, nil
}
