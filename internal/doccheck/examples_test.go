package doccheck_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

// wrong are the files of command-line sessions whose faults a schema can tell.
var wrong = map[string]bool{
	"spec.txtar/unknown.yaml": true,
	"spec.txtar/version.yaml": true,
	"spec.txtar/later.yaml":   true,
	"spec.txtar/site.yaml":    true,
}

// notYAML is the one that no schema is asked about.
const notYAML = "spec.txtar/noyaml.yaml"

var schemas = map[string]func() (*doccheck.Schema, error){"Release": doccheck.Release, "Site": doccheck.Site}

var head = regexp.MustCompile(`^apiVersion: sallyport\.dev/v1\nkind: (Release|Site)\n`)

// check validates a document by the schema of its kind. It reports false for a document that has none.
func check(t *testing.T, text string) (ok bool, err error) {
	t.Helper()
	m := head.FindStringSubmatch(text)
	if m == nil {
		return false, nil
	}
	schema, err := schemas[m[1]]()
	if err != nil {
		t.Fatal(err)
	}
	return true, schema.Validate(text)
}

func TestSessionsFollowTheSchemas(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(doccheck.Root(), "cmd", "testdata", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	right, refused := 0, map[string]bool{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			name := filepath.Base(file) + "/" + f.Name
			if name == notYAML {
				continue
			}
			ok, err := check(t, os.Expand(string(f.Data), func(string) string { return "amd64" }))
			switch {
			case !ok:
			case wrong[name] && err != nil:
				refused[name] = true
			case err != nil:
				t.Errorf("%s: %v", name, err)
			default:
				right++
			}
		}
	}
	if !reflect.DeepEqual(refused, wrong) {
		t.Errorf("refused are %v, want %v", refused, wrong)
	}
	if right < 5 {
		t.Errorf("only %d files were found to be right", right)
	}
}

var (
	here     = regexp.MustCompile(`(?s)cat > \S+ <<EOF\n(.*?)\nEOF\n`)
	variable = regexp.MustCompile(`\$v\b|\$\(go env GOARCH\)|\$PWD`)
)

// The files of the quickstart, as its shell would write them.
func TestQuickstartFollowsTheSchemas(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(doccheck.Root(), "docs", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, m := range here.FindAllStringSubmatch(string(page), -1) {
		text := variable.ReplaceAllStringFunc(m[1], func(name string) string {
			return map[string]string{"$v": "2", "$PWD": "/home/me"}[name] + strings.Repeat("arm64", strings.Count(name, "GOARCH"))
		})
		ok, err := check(t, text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		if ok {
			found[head.FindStringSubmatch(text)[1]]++
		}
	}
	if want := map[string]int{"Release": 1, "Site": 1}; !reflect.DeepEqual(found, want) {
		t.Errorf("the quickstart has %v, want %v", found, want)
	}
}
