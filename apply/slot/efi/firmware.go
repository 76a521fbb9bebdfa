package efi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

// Names of the firmware's variables.
const (
	bootOrder   = efivar.BootOrder
	bootNext    = "BootNext"
	bootCurrent = "BootCurrent"
)

var entryName = regexp.MustCompile(`^Boot([0-9A-Fa-f]{4})$`)

// bootEntry is a boot entry as it stands in a variable.
type bootEntry struct {
	number     uint16
	attributes uint32 // of the variable
	option     efivar.LoadOption
	file       efivar.File
}

func (e *bootEntry) name() string { return variable(e.number) }

func variable(number uint16) string { return efivar.BootEntry(number) }

func (e *bootEntry) active() bool { return e.option.Attributes&efivar.Active != 0 }

// firmware is what the boot manager has: the entries that start files, the numbers that are taken, and what is to be booted.
type firmware struct {
	entries         []*bootEntry // in the order of their numbers
	taken           []uint16
	order           []uint16
	orderAttributes uint32
	next, current   *uint16
}

// readFirmware reads the boot manager's variables. Entries that are no files, or that cannot be read, are others'.
func readFirmware(v efivar.Vars) (*firmware, error) {
	f := &firmware{}
	names, err := v.Names(efivar.Global)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		m := entryName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		n, _ := strconv.ParseUint(m[1], 16, 16)
		f.taken = append(f.taken, uint16(n))
		if e, err := readBootEntry(v, uint16(n)); err == nil {
			f.entries = append(f.entries, e)
		}
	}
	if f.order, f.orderAttributes, err = v.Order(); err != nil {
		return nil, err
	}
	if f.next, err = readNumber(v, bootNext, 0); err != nil {
		return nil, err
	}
	f.current, err = readNumber(v, bootCurrent, efivar.NonVolatile)
	return f, err
}

var errNoFile = errors.New("starts no file on a partition of a GPT")

func readBootEntry(v efivar.Vars, number uint16) (*bootEntry, error) {
	o, attributes, err := v.Entry(number)
	if err != nil {
		return nil, err
	}
	file, ok := o.File()
	if !ok {
		return nil, errNoFile
	}
	return &bootEntry{number, attributes, o, file}, nil
}

// readNumber reads a variable that is the number of an entry; nil if it is not there, or has an attribute that it must not have.
func readNumber(v efivar.Vars, name string, mustNot uint32) (*uint16, error) {
	value, err := v.Read(name, efivar.Global)
	if errors.Is(err, fs.ErrNotExist) || err == nil && value.Attributes&mustNot != 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(value.Data) != 2 {
		return nil, fmt.Errorf("the EFI variable %s has %d bytes, not two", name, len(value.Data))
	}
	n := binary.LittleEndian.Uint16(value.Data)
	return &n, nil
}

func numbers(all ...uint16) []byte {
	var b []byte
	for _, n := range all {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	return b
}

// of are the entries that start a file, those in BootOrder first and in its order.
func (f *firmware) of(file efivar.File) []*bootEntry {
	var found []*bootEntry
	for _, e := range f.entries {
		if e.file.Same(file) {
			found = append(found, e)
		}
	}
	place := func(e *bootEntry) int {
		if i := slices.Index(f.order, e.number); i >= 0 {
			return i
		}
		return len(f.order)
	}
	slices.SortStableFunc(found, func(a, b *bootEntry) int { return place(a) - place(b) })
	return found
}

// number is an entry by its number; nil if it is none that starts a file.
func (f *firmware) number(n *uint16) *bootEntry {
	if n == nil {
		return nil
	}
	for _, e := range f.entries {
		if e.number == *n {
			return e
		}
	}
	return nil
}

// free is the lowest number that neither an entry nor BootOrder has.
func (f *firmware) free() (uint16, error) {
	for n := 0; n <= 0xffff; n++ {
		if u := uint16(n); !slices.Contains(f.taken, u) && !slices.Contains(f.order, u) {
			return u, nil
		}
	}
	return 0, errors.New("every number of a boot entry is taken")
}
