package grub

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

// ScriptFile is the name of our part of GRUB's configuration, in GRUB's folder.
const ScriptFile = "sallyport.cfg"

//go:embed sallyport.cfg.tmpl
var scriptText string

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
	// A package of templates calls methods by their names, for which the linker would keep those of the whole program.
	return strings.NewReplacer("{{.A.Name}}", s.A.Name, "{{.A.PartUUID}}", s.A.PartUUID, "{{.B.Name}}", s.B.Name, "{{.B.PartUUID}}", s.B.PartUUID,
		"{{.Args}}", s.Args, "{{.Block}}", s.Block, "{{.Counts}}", counts()).Replace(scriptText), nil
}

// counts are the steps of a counter: GRUB's scripts cannot subtract.
func counts() string {
	var lines []string
	for n := maxLeft; n > 0; n-- {
		lines = append(lines, fmt.Sprintf(`      if [ "$sallyport_left" = "%d" ]; then set sallyport_next=%d; fi`, n, n-1))
	}
	return strings.Join(lines, "\n")
}
