package grub

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// ScriptFile is the name of our part of GRUB's configuration, in GRUB's folder.
const ScriptFile = "sallyport.cfg"

//go:embed sallyport.cfg.tmpl
var scriptText string

var scriptTemplate = template.Must(template.New(ScriptFile).Parse(scriptText))

// Script is what our part of GRUB's configuration has to know of a machine.
type Script struct {
	A, B ScriptSlot
	// Args stand on the kernel's command line, unless a slot has its own.
	Args string
	// Block is the name of the environment block, in GRUB's folder; empty is grubenv.
	Block string
}

// ScriptSlot is one slot.
type ScriptSlot struct {
	Name     string // the loader's
	PartUUID string // of the partition that has the root file system
}

var (
	partUUIDSyntax = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[0-9a-f]{8}-[0-9a-f]{2}$`)
	argsSyntax     = regexp.MustCompile(`^[A-Za-z0-9 ,.:/=_@+-]*$`)
	blockSyntax    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// DefaultArgs are on the kernel's command line where nobody says otherwise.
const DefaultArgs = "ro"

// step is one step of a counter: GRUB's scripts cannot subtract.
type step struct{ From, To int }

// Text is the script as GRUB runs it.
func (s Script) Text() (string, error) {
	for _, c := range []ScriptSlot{s.A, s.B} {
		if err := ValidName(c.Name); err != nil {
			return "", err
		}
		if !partUUIDSyntax.MatchString(c.PartUUID) {
			return "", fmt.Errorf("%q is not the PARTUUID of slot %s's partition", clip(c.PartUUID), c.Name)
		}
	}
	if s.Block == "" {
		s.Block = "grubenv"
	}
	if !argsSyntax.MatchString(s.Args) || !blockSyntax.MatchString(s.Block) {
		return "", fmt.Errorf("%q and %q cannot stand in a script of GRUB's", clip(s.Args), clip(s.Block))
	}
	var counts []step
	for n := maxLeft; n > 0; n-- {
		counts = append(counts, step{n, n - 1})
	}
	var b strings.Builder
	err := scriptTemplate.Execute(&b, struct {
		Script
		Counts []step
	}{s, counts})
	return b.String(), err
}
