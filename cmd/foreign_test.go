//go:build !site

package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/bundle/build"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// evil is what a bundle, an image, a cluster or a file name may hold: sequences that set a title, clear the screen and
// forge a line, CSI as one character, and the marks of https://trojansource.codes.
const evil = "a\x1b]0;t\x07\x1b[2J\u009b31m\u202eb\u2066\u200b\U000e0041\x7f\xff\r\nsigned    release-team\tok"

// putEvil puts evil into every text of v, and one element into every list and map.
func putEvil(v reflect.Value, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(evil)
	case reflect.Int, reflect.Int64:
		v.SetInt(2)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		putEvil(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		putEvil(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		putEvil(key, depth+1)
		putEvil(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			putEvil(v.Field(i), depth+1)
		}
	}
}

func filled[T any]() *T {
	v := new(T)
	putEvil(reflect.ValueOf(v).Elem(), 0)
	return v
}

// TestForeignTextOnTerminal gives whatever verbs print hostile names. Nothing reaches the terminal that it would obey,
// and no name makes a line of its own.
func TestForeignTextOnTerminal(t *testing.T) {
	in := filled[inspection]()
	in.Packages = map[string][]inspect.Package{evil: {*filled[inspect.Package]()}}
	site := apply.New(filled[apply.Config](), apply.Deps{})
	failure := errors.New(evil)
	for name, tell := range map[string]func(p *program){
		"inspect":  func(p *program) { p.printInspection(*in, inspectFlags{true, true, true}) },
		"diff":     func(p *program) { p.printDifference(filled[inspect.Difference]()) },
		"status":   func(p *program) { p.printStatus(site, filled[apply.Status]()) },
		"build":    func(p *program) { p.buildSummary(in.Inspection, filled[build.Result](), []string{evil}) },
		"events":   func(p *program) { p.event("checks", evil, 0, 0) },
		"progress": func(p *program) { p.ui.say("loading", "%s", evil) },
		"committed": func(p *program) {
			p.closing(site, &apply.Result{Result: apply.ResultCommitted, Release: filled[apply.Release]()}, nil)
		},
		"table": func(p *program) {
			table := p.ui.table(2)
			table.row("%s\t%v\t%v", evil, []string{evil}, failure)
			table.print()
		},
		"findings": func(p *program) { p.ui.print("%-9s %s  %s\n", evil, verdict("FAILED"), evil) },
		"error":    func(p *program) { printError(p.out, p.err, false, failure) },
		"refusal":  func(p *program) { printError(p.out, p.err, false, &usageError{evil, evil}) },
		"object":   func(p *program) { _ = p.object(filled[apply.Status]()) },
		"failure":  func(p *program) { printError(p.out, p.err, true, failure) },
		"log":      func(p *program) { jsonLog(p.out, 0).Info(evil, evil, evil) },
	} {
		var b bytes.Buffer
		p := &program{out: &b, err: &b}
		p.ui = newUI(&b, &b, commonFlags{progress: "auto", logFormat: "text"})
		tell(p)
		if b.Len() == 0 {
			t.Errorf("%s printed nothing", name)
		}
		for _, line := range strings.Split(b.String(), "\n") {
			if oneline.Escape(line) != line {
				t.Errorf("%s printed %q", name, line)
			}
			if strings.HasPrefix(line, "signed    release-team") {
				t.Errorf("%s let a name forge a line", name)
			}
		}
		if strings.HasPrefix(b.String(), "{") && !json.Valid(b.Bytes()) {
			t.Errorf("%s is not JSON: %s", name, b.String())
		}
	}
}

// TestColours holds that marks of our own still reach a terminal, and only those.
func TestColours(t *testing.T) {
	u := &ui{color: true}
	if got := u.text("%s %s", verdict("ok"), "\x1b[31mok"); got != "\x1b[32mok\x1b[0m "+`\x1b[31mok` {
		t.Errorf("%q", got)
	}
}

// TestOneWayOut holds that nothing is printed past the functions that escape what they are given.
func TestOneWayOut(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		switch {
		case strings.HasSuffix(name, "_test.go"), name == "ui.go", name == "bar.go":
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			text := string(src[call.Pos()-f.FileStart : call.End()-f.FileStart])
			switch {
			case strings.HasPrefix(text, "fmt.Fprint") && !strings.Contains(text, "oneLine(") && !strings.Contains(text, "oneline.Escape(") && text != "fmt.Fprintln(p.err)",
				strings.HasPrefix(text, "fmt.Print"), strings.HasPrefix(text, "io.WriteString("), strings.HasPrefix(text, "p.ui.lines("):
				t.Errorf("%s: %s goes past ui", fset.Position(call.Pos()), text)
			}
			return true
		})
	}
}
