package efivar

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

var errText = errors.New("is not a text in UTF-16 that ends with a zero")

// parseText reads a text that ends with a zero, and returns what follows it. Halves of surrogate pairs are refused: they have no
// other form, so a text would not come out as it went in.
func parseText(b []byte) (s string, rest []byte, err error) {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			return string(utf16.Decode(units)), b[2:], lossless(units)
		}
		units = append(units, u)
	}
	return "", nil, errText
}

func lossless(units []uint16) error {
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if !utf16.IsSurrogate(r) {
			continue
		}
		if i+1 == len(units) || utf16.DecodeRune(r, rune(units[i+1])) == utf8.RuneError {
			return errText
		}
		i++
	}
	return nil
}

// appendText appends s and a zero.
func appendText(b []byte, s string) []byte {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}

// Text is the text that a variable holds as the Boot Loader Interface keeps it.
func (v Variable) Text() (string, error) { return ParseText(v.Data) }

// ParseText reads data that are a text and its zero.
func ParseText(b []byte) (string, error) {
	s, rest, err := parseText(b)
	if err == nil && len(rest) != 0 {
		err = errText
	}
	return s, err
}

// OfText is the data of a variable that holds s.
func OfText(s string) []byte { return appendText(nil, s) }
