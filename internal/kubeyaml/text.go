package kubeyaml

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// mark is the byte order mark.
const mark = '\uFEFF'

// plainText gives a file's text in UTF-8, without a mark at its begin and with \n as the only line end.
func plainText(file string, b []byte) ([]byte, error) {
	var err error
	switch {
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE, 0, 0}):
		b, err = fromUTF32(file, b, binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0, 0, 0xFE, 0xFF}):
		b, err = fromUTF32(file, b, binary.BigEndian)
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		b, err = fromUTF16(file, b, binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		b, err = fromUTF16(file, b, binary.BigEndian)
	}
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, &Error{Place: Place{file, invalidLine(b)}, Problem: "this is not UTF-8 text", Advice: "save the file as UTF-8"}
	}
	b = bytes.TrimPrefix(b, utf8.AppendRune(nil, mark))
	if bytes.IndexByte(b, '\r') >= 0 {
		b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	}
	return b, nil
}

func invalidLine(b []byte) int {
	line := 1
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		b = b[n:]
	}
	return line
}

func fromUTF16(file string, b []byte, order binary.ByteOrder) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, &Error{Place: Place{File: file}, Problem: "this UTF-16 text ends in the middle of a character", Advice: "save the file as UTF-8"}
	}
	out, line := make([]byte, 0, len(b)), 1
	for i := 0; i < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if utf16.IsSurrogate(r) {
			var low rune
			if i+4 <= len(b) {
				low = rune(order.Uint16(b[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, &Error{Place: Place{file, line}, Problem: "this UTF-16 text has half of a surrogate pair", Advice: "save the file as UTF-8"}
			}
			i += 2
		}
		if r == '\n' {
			line++
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

func fromUTF32(file string, b []byte, order binary.ByteOrder) ([]byte, error) {
	out, line := make([]byte, 0, len(b)/2), 1
	for i := 0; i < len(b); i += 4 {
		if i+4 > len(b) || order.Uint32(b[i:]) > utf8.MaxRune || !utf8.ValidRune(rune(order.Uint32(b[i:]))) {
			return nil, &Error{Place: Place{file, line}, Problem: "this UTF-32 text has bytes that are no character", Advice: "save the file as UTF-8"}
		}
		r := rune(order.Uint32(b[i:]))
		if r == '\n' {
			line++
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// printable tells what may stand in YAML as it is (YAML 1.1, 5.1); everything else only as an escape.
func printable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == 0x85, r >= 0x20 && r <= 0x7E:
		return true
	}
	return r >= 0xA0 && r <= 0xFFFD || r >= 0x10000
}

// checkPrintable refuses characters that no YAML reader takes, by their line.
func (d document) checkPrintable(file string) error {
	line := d.offset + 1
	for _, r := range string(d.raw) {
		if r == '\n' {
			line++
		}
		if !printable(r) {
			advice := fmt.Sprintf(`remove it, or write it in double quotes as "\u%04X"`, r)
			if r == 0 {
				advice = "save the file as UTF-8: this looks like UTF-16 without a byte order mark"
			}
			return &Error{Place: Place{file, line}, Problem: fmt.Sprintf("there is a control character, U+%04X", r), Advice: advice}
		}
	}
	return nil
}
