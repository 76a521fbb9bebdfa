package kube

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

const (
	contextLines = 2       // around what differs
	maxLines     = 24      // shown of one value
	maxLineText  = 160     // bytes shown of a line
	maxPairs     = 1 << 20 // of lines that are compared; beyond, what differs is shown as gone and come
)

// severalLines tells whether a value is text of more than one line.
func severalLines(v any) bool {
	s, ok := v.(string)
	return ok && strings.Contains(strings.TrimSuffix(s, "\n"), "\n")
}

// linesChanged shows where two texts differ, as diff -u does; nil is a text that is not there. What is no text counts as
// a text of one line.
func linesChanged(path string, before, after any) []string {
	sign := ""
	switch {
	case before == nil:
		sign = "+ "
	case after == nil:
		sign = "- "
	}
	b, a := linesOf(before), linesOf(after)
	if b.open != a.open && before != nil && after != nil {
		b.mark()
		a.mark()
	}
	lines := hunks(edits(b.lines, a.lines))
	if over := len(lines) - maxLines; over > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("and %s more", plural(over, "line")))
	}
	out := []string{sign + path + ":"}
	for _, l := range lines {
		out = append(out, "  "+clip(l))
	}
	return out
}

func clip(line string) string {
	line = oneline.Escape(line)
	if len(line) <= maxLineText {
		return line
	}
	return strings.ToValidUTF8(line[:maxLineText], "") + "…"
}

// textLines is a text by its lines. It is open if its last line has no end.
type textLines struct {
	lines []string
	open  bool
}

func linesOf(v any) textLines {
	if v == nil {
		return textLines{}
	}
	s, ok := v.(string)
	if !ok {
		s = text(v)
	}
	return textLines{strings.Split(strings.TrimSuffix(s, "\n"), "\n"), !strings.HasSuffix(s, "\n")}
}

// mark shows the missing end of the last line, where that is a difference.
func (t *textLines) mark() {
	if t.open {
		t.lines[len(t.lines)-1] += `\ (no line end)`
	}
}

// edit is a line of two texts: common to them (' '), gone ('-') or come ('+').
type edit struct {
	sign byte
	text string
}

// edits are the fewest that lead from one text to the other.
func edits(before, after []string) []edit {
	head := 0
	for head < min(len(before), len(after)) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < min(len(before), len(after))-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	out := signed(nil, ' ', before[:head])
	out = append(out, middle(before[head:len(before)-tail], after[head:len(after)-tail])...)
	return signed(out, ' ', before[len(before)-tail:])
}

func signed(out []edit, sign byte, lines []string) []edit {
	for _, l := range lines {
		out = append(out, edit{sign, l})
	}
	return out
}

// middle compares texts that neither begin nor end alike, by their longest common subsequence.
func middle(b, a []string) []edit {
	if len(b)*len(a) > maxPairs {
		return signed(signed(nil, '-', b), '+', a)
	}
	common := make([][]int32, len(b)+1) // common[i][j] is how many lines b[i:] and a[j:] have in common
	for i := range common {
		common[i] = make([]int32, len(a)+1)
	}
	for i := len(b) - 1; i >= 0; i-- {
		for j := len(a) - 1; j >= 0; j-- {
			if b[i] == a[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []edit
	i, j := 0, 0
	for i < len(b) && j < len(a) {
		switch {
		case b[i] == a[j]:
			out = append(out, edit{' ', b[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, edit{'-', b[i]})
			i++
		default:
			out = append(out, edit{'+', a[j]})
			j++
		}
	}
	return signed(signed(out, '-', b[i:]), '+', a[j:])
}

// hunks are the edits with the lines around them, each run of them under its places in both texts.
func hunks(all []edit) (lines []string) {
	near := make([]bool, len(all))
	for i, e := range all {
		if e.sign != ' ' {
			for k := max(i-contextLines, 0); k <= min(i+contextLines, len(all)-1); k++ {
				near[k] = true
			}
		}
	}
	b, a := 1, 1
	for i := 0; i < len(all); {
		n := slices.Index(near[i:], !near[i])
		if n < 0 {
			n = len(all) - i
		}
		gone, come := linesIn(all[i : i+n])
		if near[i] {
			lines = append(lines, fmt.Sprintf("@@ -%d,%d +%d,%d @@", b, gone, a, come))
			for _, e := range all[i : i+n] {
				lines = append(lines, string(e.sign)+e.text)
			}
		}
		b, a, i = b+gone, a+come, i+n
	}
	return lines
}

// linesIn tells how many lines edits have of each text.
func linesIn(all []edit) (before, after int) {
	for _, e := range all {
		if e.sign != '+' {
			before++
		}
		if e.sign != '-' {
			after++
		}
	}
	return before, after
}
