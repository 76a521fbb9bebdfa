//go:build !site

package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// withReason is a library's error that has a word and nothing else.
type withReason string

func (e withReason) Error() string  { return "something is wrong" }
func (e withReason) Reason() string { return string(e) }

// ownHints are the words whose errors always say themselves what to do, and are unexpected: safe to retry.
var ownHints = []string{"mirror", "slot", "state", "target"}

// words finds the reasons that the libraries give, in their sources.
func words(t *testing.T) map[string]string {
	t.Helper()
	literal := regexp.MustCompile(`(?:errorf\(|at\(|Word: *|reason: *|reason[A-Z]\w* += +|Reason[A-Z]\w* += +|Reason\(\) string +\{ return )"([a-z-]+)"`)
	found := map[string]string{}
	for _, dir := range []string{"apply", "bundle", "verify", "delta", "internal/strictyaml", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if strings.HasSuffix(filepath.Dir(path), "test") {
				return nil // a package of the tests'
			}
			src, err := os.ReadFile(path)
			for _, m := range literal.FindAllStringSubmatch(string(src), -1) {
				found[m[1]] = path
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// TestEveryReason holds that each word leads to an exit status and a hint that a person can follow.
func TestEveryReason(t *testing.T) {
	found := words(t)
	if len(found) < 20 {
		t.Fatalf("only %d reasons found: the pattern is wrong", len(found))
	}
	for _, w := range ownHints {
		found[w] = "cmd"
	}
	for w := range reasons {
		found[w] = "cmd/errors.go"
	}
	for w, path := range found {
		err := withReason(w)
		_, known := reasons[w]
		if own := strings.Contains(" "+strings.Join(ownHints, " ")+" ", " "+w+" "); !known && !own {
			t.Errorf("%s gives the reason %q, which has no row in reasons", path, w)
		}
		if got := hint(err); got == "" || internals.MatchString(got) {
			t.Errorf("the hint of %q is %q", w, got)
		}
		if code := exitCode(err); code < exitUnexpected || code > exitLocked {
			t.Errorf("the exit status of %q is %d", w, code)
		}
	}
}

// internals are words that only who reads the sources understands.
var internals = regexp.MustCompile(`VERB|rolledBack|rollingBack|needsPerson|parsing time|cannot unmarshal|Go (struct|value)|context |yaml: |strconv\.|%!|invalid character`)

// TestErrorsInWords has the errors of Go's own packages, which tell people nothing.
func TestErrorsInWords(t *testing.T) {
	_, moment := time.Parse(time.RFC3339, "tomorrow")
	_, number := strconv.Atoi("many")
	var object struct{ Size int }
	_, missing := os.Open("missing")
	_, folder := os.ReadFile(".")
	for _, c := range []struct {
		err        error
		code       int
		text, hint string
	}{
		{moment, 1, `"tomorrow" is not a time such as 2027-06-30T00:00:00Z`, "try again"},
		{number, 1, `"many" is not a number that fits`, "try again"},
		{json.Unmarshal([]byte(`{"Size": "x"}`), &object), 1, "Size is of the wrong kind: string", "try again"},
		{json.Unmarshal([]byte(`{"Size": ?}`), &object), 1, "it is not valid JSON from byte 10 on", "try again"},
		{context.DeadlineExceeded, 1, "it took too long", "try again"},
		{context.Canceled, 1, "", "goes on where it stopped"},
		{missing, 1, "open missing: no such file", "check the name"},
		{folder, 2, "is a directory", "name a file"},
		{syscall.ENOTDIR, 2, "not a directory", "name a folder"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, 1, "open x: permission denied", "sudo"},
		{syscall.ENOSPC, 1, "no space left", "make room"},
		{syscall.EDQUOT, 1, "quota", "make room"},
		{syscall.EIO, 1, "input/output error", "check the medium"},
		{errors.New("new"), 1, "new", "try again"},
	} {
		for _, err := range []error{c.err, fmt.Errorf("read it: %w", c.err)} {
			text, advice := message(err), hint(err)
			if exitCode(err) != c.code || !strings.Contains(text, c.text) || !strings.Contains(advice, c.hint) {
				t.Errorf("%v: exit status %d, %q, %q", err, exitCode(err), text, advice)
			}
			if c.text != "" && internals.MatchString(text+advice) {
				t.Errorf("%q and %q tell people nothing", text, advice)
			}
		}
	}
}
