package grub

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

const (
	blockSize = 1024
	signature = "# GRUB Environment Block\n"
	// atomicSize is what a medium writes as a whole: a sector.
	atomicSize = 512
	padding    = '#'
)

// block is what an environment block holds, in its order.
type block struct{ lines []line }

// line is a variable, or a comment, which has no name.
type line struct {
	raw         string // with the newline at its end
	name, value string
}

// parseBlock reads an environment block as GRUB does, and refuses what GRUB would read but could not write back.
func parseBlock(data []byte) (*block, error) {
	if len(data) != blockSize {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(data), blockSize)
	}
	if !bytes.HasPrefix(data, []byte(signature)) {
		return nil, fmt.Errorf("it does not begin with %q", strings.TrimSpace(signature))
	}
	if bytes.HasSuffix(data, []byte("\n")) {
		return nil, errors.New("it ends in a newline, which leaves GRUB no room: the end must be filled with #")
	}
	text := bytes.TrimRight(data, string(padding))
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, fmt.Errorf("GRUB cannot write it: its end is not filled with # after a newline, but with %q", text[len(text)-1:])
	}
	b := &block{}
	seen := map[string]bool{}
	for rest := string(text[len(signature):]); rest != ""; {
		n, err := lineEnd(rest)
		if err != nil {
			return nil, err
		}
		l, err := parseLine(rest[:n])
		if err != nil {
			return nil, err
		}
		// GRUB reads the last one and writes the first.
		if l.name != "" && seen[l.name] {
			return nil, fmt.Errorf("it has the variable %q twice", l.name)
		}
		seen[l.name] = true
		b.lines = append(b.lines, l)
		rest = rest[n:]
	}
	return b, nil
}

// lineEnd is where the line ends that s begins with: after the first newline that no backslash stands before.
func lineEnd(s string) (int, error) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\n':
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("%q is not finished", clip(s))
}

func parseLine(raw string) (line, error) {
	if strings.IndexByte(raw, 0) >= 0 {
		return line{}, fmt.Errorf("%q holds a zero byte", clip(raw))
	}
	if raw[0] == padding {
		return line{raw: raw}, nil
	}
	name, value, found := strings.Cut(raw[:len(raw)-1], "=")
	if !found || name == "" || strings.ContainsAny(name, "\\\n") {
		return line{}, fmt.Errorf("%q is no variable", clip(raw))
	}
	return line{raw: raw, name: name, value: unescape(value)}, nil
}

// clip shortens what stands in a message.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", "\\\n")

// get returns the value of a variable.
func (b *block) get(name string) (value string, found bool) {
	for _, l := range b.lines {
		if l.name == name && name != "" {
			return l.value, true
		}
	}
	return "", false
}

// variable is one of ours.
type variable struct{ name, value string }

func (v variable) line() string { return v.name + "=" + escaper.Replace(v.value) + "\n" }

func size(vars []variable) int {
	n := 0
	for _, v := range vars {
		n += len(v.line())
	}
	return n
}

// leastFiller is the length of the shortest filler.
const leastFiller = 3

// filler is the comment that follows our variables up to the end of their space: an #, as many ~ as it takes, and a newline.
func filler(n int) string { return "#" + strings.Repeat("~", n-2) + "\n" }

func isFiller(raw string) bool { return len(raw) >= leastFiller && raw == filler(len(raw)) }

// errRoom is a block in which other variables leave too little room for ours.
var errRoom = errors.New("it has no room left for sallyport's variables")

// marshal writes the block with our variables in a space of so many bytes and everything else behind it, as it was. A variable of
// drop is left out.
func (b *block) marshal(vars []variable, space int, drop func(name string) bool) ([]byte, error) {
	var out strings.Builder
	out.WriteString(signature)
	for _, v := range vars {
		out.WriteString(v.line())
	}
	fill := len(signature) + space - out.Len()
	if len(signature)+space > atomicSize || fill < leastFiller {
		return nil, errRoom
	}
	out.WriteString(filler(fill))
	for _, l := range b.lines {
		if !isFiller(l.raw) && (l.name == "" || !drop(l.name)) {
			out.WriteString(l.raw)
		}
	}
	// GRUB wants the end filled, be it with one #.
	if out.Len() >= blockSize {
		return nil, errRoom
	}
	return append([]byte(out.String()), bytes.Repeat([]byte{padding}, blockSize-out.Len())...), nil
}
