package oneline_test

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"plain":                     "plain",
		" two\nlines\r\n\tand more": "two lines and more",
		"\x1b[31mred\x1b[0m\a":      "[31mred [0m",
		"bad \xff utf-8":            "bad ? utf-8",
		"a\u2028b\u0085c":           "a b c",
		"turned \u202eround\u200b":  "turned round",
		strings.Repeat("é", 200):    strings.Repeat("é", 149) + "…",
		strings.Repeat("x", 299):    strings.Repeat("x", 299),
	} {
		if got := oneline.Clean(in, 299); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
