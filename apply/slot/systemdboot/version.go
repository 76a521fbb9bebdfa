package systemdboot

import (
	"cmp"
	"strconv"
	"strings"
)

// compareVersions orders versions by the UAPI Version Format Specification (UAPI.10): runs of digits and runs of letters, with
// separators between them; characters of no meaning only part them.
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, meaningless), strings.TrimLeftFunc(b, meaningless)
		// A tilde is older even than the end.
		if r := separator('~', &a, &b); r != 0 {
			return r
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		for _, c := range []byte{'-', '^', '.'} {
			if r := separator(c, &a, &b); r != 0 {
				return r
			}
		}
		if r := compareRuns(&a, &b); r != 0 {
			return r
		}
	}
}

func digit(r rune) bool  { return r >= '0' && r <= '9' }
func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func meaningless(r rune) bool {
	return !digit(r) && !letter(r) && !strings.ContainsRune("~-^.", r)
}

// separator compares by a character that makes the one that has it older; where both have it, it is passed.
func separator(c byte, a, b *string) int {
	hasA, hasB := strings.HasPrefix(*a, string(c)), strings.HasPrefix(*b, string(c))
	switch {
	case hasA && hasB:
		*a, *b = (*a)[1:], (*b)[1:]
	case hasA:
		return -1
	case hasB:
		return 1
	}
	return 0
}

// compareRuns compares and passes the first runs: digits as numbers, which are newer than letters, else letters as text.
func compareRuns(a, b *string) int {
	numberA, numberB := startsWith(*a, digit), startsWith(*b, digit)
	switch {
	case !numberA && !numberB:
		return cmp.Compare(cut(a, letter), cut(b, letter))
	case !numberB:
		return 1
	case !numberA:
		return -1
	}
	*a, *b = strings.TrimLeft(*a, "0"), strings.TrimLeft(*b, "0")
	x, y := cut(a, digit), cut(b, digit)
	if r := cmp.Compare(len(x), len(y)); r != 0 {
		return r
	}
	return cmp.Compare(x, y)
}

func startsWith(s string, kind func(rune) bool) bool { return s != "" && kind(rune(s[0])) }

// cut passes the run of that kind at the front of s and returns it.
func cut(s *string, kind func(rune) bool) string {
	rest := strings.TrimLeftFunc(*s, kind)
	front := (*s)[:len(*s)-len(rest)]
	*s = rest
	return front
}

// maxNumber is how many digits a version that is counted up may have in front.
const maxNumber = 15

// above is a version that is newer than v: the number that v begins with, and one more. It is a plain number, so it does not grow
// with each switch.
func above(v string) (next string, ok bool) {
	front := strings.TrimLeftFunc(v, meaningless)
	n := 0
	if digits := strings.TrimLeft(cut(&front, digit), "0"); digits != "" {
		if len(digits) > maxNumber {
			return "", false
		}
		n, _ = strconv.Atoi(digits)
	}
	next = strconv.Itoa(n + 1)
	return next, compareVersions(next, v) > 0
}
