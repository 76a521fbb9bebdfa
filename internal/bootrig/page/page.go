// Package page takes from a page of the documentation what it tells people to run and to write, so that tests try that and nothing
// else.
package page

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Page is a page of the documentation, whose commands can be run.
type Page struct{ blocks []block }

// block is a fenced block of a page: the words behind its fence are its language, where it is run, and for which machines.
type block struct {
	section string   // the heading of the second level that it stands below
	words   []string // sh image; sh live bios; yaml
	text    string
}

// Read reads a page.
func Read(file string) (*Page, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &Page{}
	var section, indent string
	var open *block
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimLeft(line, " ")
		words, fence := strings.CutPrefix(trimmed, "```")
		switch {
		case fence && open == nil:
			indent = line[:len(line)-len(trimmed)]
			open = &block{section: section, words: strings.Fields(words)}
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		}
	}
	return p, lines.Err()
}

// Script joins the commands of a section that are run in a place (image, live, machine), in their order: those for every machine,
// and those for machines of a kind (bios, uefi).
func (p *Page) Script(section, place, kind string) string {
	var script strings.Builder
	for _, b := range p.blocks {
		if b.section != section || len(b.words) < 2 || b.words[0] != "sh" || b.words[1] != place {
			continue
		}
		if len(b.words) == 2 || slices.Contains(b.words[2:], kind) {
			script.WriteString(b.text)
		}
	}
	return script.String()
}

// Slots is the first description of slots (slots: …) for a site.yaml in a section.
func (p *Page) Slots(section string) (string, error) {
	for _, b := range p.blocks {
		if b.section == section && slices.Equal(b.words, []string{"yaml"}) && strings.HasPrefix(b.text, "slots:") {
			return b.text, nil
		}
	}
	return "", fmt.Errorf("the section %q describes no slots", section)
}

// Replace puts what a machine has in place of what the page has for an example. An example that is not there is an error.
func Replace(script string, examples map[string]string) (string, error) {
	var pairs []string
	for example, real := range examples {
		if !strings.Contains(script, example) {
			return "", fmt.Errorf("the page does not say %q any more", example)
		}
		pairs = append(pairs, example, real)
	}
	return strings.NewReplacer(pairs...).Replace(script), nil
}
