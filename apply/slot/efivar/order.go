package efivar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// BootOrder is the variable with the numbers of the boot entries that the firmware tries, one after the other.
const BootOrder = "BootOrder"

// BootEntry is the name of the variable of a boot entry.
func BootEntry(number uint16) string { return fmt.Sprintf("Boot%04X", number) }

// Order reads BootOrder, and the attributes that it has; a firmware without it has an empty one.
func (v Vars) Order() (order []uint16, attributes uint32, err error) {
	value, err := v.Read(BootOrder, Global)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Stored, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if len(value.Data)%2 != 0 {
		return nil, 0, fmt.Errorf("the EFI variable %s has %d bytes, which are no numbers", BootOrder, len(value.Data))
	}
	for b := range slices.Chunk(value.Data, 2) {
		order = append(order, binary.LittleEndian.Uint16(b))
	}
	return order, value.Attributes, nil
}

// Entry reads a boot entry, and the attributes of its variable.
func (v Vars) Entry(number uint16) (o LoadOption, attributes uint32, err error) {
	value, err := v.Read(BootEntry(number), Global)
	if err != nil {
		return o, 0, err
	}
	o, err = ParseLoadOption(value.Data)
	return o, value.Attributes, err
}

// BootFiles are the files that the firmware starts one after the other as long as each of them gives up: those of the active
// entries of BootOrder. An entry that starts something else, or that cannot be read, is left out.
func (v Vars) BootFiles() (files []File, err error) {
	order, _, err := v.Order()
	for _, number := range order {
		o, _, entryErr := v.Entry(number)
		if file, ok := o.File(); entryErr == nil && ok && o.Attributes&Active != 0 {
			files = append(files, file)
		}
	}
	return files, err
}
