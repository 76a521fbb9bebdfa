package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/cmd"
)

// Raw markup or a line that roff takes for a request would show here.
var unknownRequest = regexp.MustCompile(`(?m)^[.'](?:[^A-Za-z\\]|\\[^"])`)

func TestEachVerbHasItsPage(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600")
	t.Setenv("SALLYPORT_SITE", "/tmp/mine.yaml")
	first, second := filepath.Join(t.TempDir(), "man"), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
	}
	pages := 0
	each(cmd.Tree(), func(c *cobra.Command) {
		pages++
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Error(err)
			return
		}
		again, err := os.ReadFile(filepath.Join(second, name))
		if err != nil || !bytes.Equal(page, again) {
			t.Errorf("%s differs from one making to the next (%v)", name, err)
		}
		for _, want := range []string{`.TH "SALLYPORT`, `"Jan 2026"`, c.Short} {
			if !strings.Contains(strings.ReplaceAll(string(page), `\-`, "-"), strings.ReplaceAll(want, `\-`, "-")) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
		for _, never := range []string{"mine.yaml", "Auto generated"} {
			if strings.Contains(string(page), never) {
				t.Errorf("%s says %s", name, never)
			}
		}
		if odd := unknownRequest.Find(page); odd != nil {
			t.Errorf("%s has a line that begins with %q", name, odd)
		}
	})
	files, err := os.ReadDir(first)
	if err != nil || len(files) != pages || pages < 10 {
		t.Errorf("%d pages for %d verbs (%v)", len(files), pages, err)
	}
}
