package oneline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"plain":                     "plain",
		" two\nlines\r\n\tand more": "two lines and more",
		"\x1b[31mred\x1b[0m\a":      `\x1b[31mred\x1b[0m\a`,
		"bad \xff utf-8":            `bad \xff utf-8`,
		"app: " + context.DeadlineExceeded.Error(): "app: it took too long",
		context.Canceled.Error():                   "it was interrupted",
		"a\u2028b\u0085c":                          "a b c",
		"turned \u202eround\u200b":                 `turned \u202eround\u200b`,
		strings.Repeat("é", 200):                   strings.Repeat("é", 149) + "…",
		strings.Repeat("x", 299):                   strings.Repeat("x", 299),
	} {
		if got := oneline.Clean(in, 299); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestEscape has the characters of CVE-2021-42574 (Trojan Source, https://trojansource.codes), the controls of ECMA-48 in
// both of their forms, and the tag characters by which text is smuggled into prompts.
func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain, größer, 日本語, ✓":    "plain, größer, 日本語, ✓",
		"\x00\x07\b\x0b\x7f":       `\x00\a\b\v\x7f`,
		"\x1b]0;title\x07":         `\x1b]0;title\a`,
		"\u009b31m\u0090":          `\u009b31m\u0090`,
		"\x9b31m":                  `\x9b31m`,
		"a\nb\tc\rd":               `a\nb\tc\rd`,
		"\u202a\u202b\u202c\u202d": `\u202a\u202b\u202c\u202d`,
		"\u2066\u2067\u2068\u2069": `\u2066\u2067\u2068\u2069`,
		"\u200e\u200f\u061c":       `\u200e\u200f\u061c`,
		"\u2028\u2029\u00a0":       `\u2028\u2029\u00a0`,
		"\u200b\u2060\ufeff\u00ad": `\u200b\u2060\ufeff\u00ad`,
		"\U000e0041\U000e007f":     `\U000e0041\U000e007f`,
		"\ufe0f\U000e0100\u3164":   `\ufe0f\U000e0100\u3164`,
		"cut \xe2\x80":             `cut \xe2\x80`,
		`C:\x1b`:                   `C:\x1b`,
	} {
		got := oneline.Escape(in)
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if again := oneline.Escape(got); again != got {
			t.Errorf("escaped again, %q became %q", got, again)
		}
	}
}

// TestJSON holds that every character means the same after it, and that no escape byte is left.
func TestJSON(t *testing.T) {
	var all []string
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if utf8.ValidRune(r) {
			all = append(all, string(r))
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(oneline.JSONWriter(&out))
	e.SetEscapeHTML(false)
	if err := e.Encode(all); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(out.Bytes(), []byte("]\n")) {
		t.Error("the line end is gone")
	}
	if line := strings.TrimSuffix(out.String(), "\n"); oneline.Escape(line) != line {
		t.Error("characters are left that do not show")
	}
	var back []string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(back) != fmt.Sprint(all) {
		t.Error("what is read back is not what was written")
	}
	if got := string(oneline.JSON([]byte("\"a\xffb\""))); got != `"a\ufffdb"` {
		t.Errorf("a byte that is no UTF-8 became %s", got)
	}
}
