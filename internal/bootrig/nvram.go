package bootrig

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"unicode/utf16"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

// Sizes and marks of the store of variables in OVMF's file (MdeModulePkg's authenticated variable format).
const (
	volumeHeader = 0x48
	storeHeader  = 28
	startID      = 0x55aa
	stateAdded   = 0x3f
)

// variable is a variable that the firmware is to find when it is first switched on.
type variable struct {
	name string
	data []byte
}

// preset puts variables of the global vendor into a store that is empty as yet.
func preset(file string, all []variable) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var out []byte
	for _, v := range all {
		var name []byte
		for _, u := range utf16.Encode([]rune(v.name + "\x00")) {
			name = binary.LittleEndian.AppendUint16(name, u)
		}
		out = binary.LittleEndian.AppendUint16(out, startID)
		out = append(out, stateAdded, 0)
		out = binary.LittleEndian.AppendUint32(out, efivar.Stored)
		out = append(out, make([]byte, 8+16+4)...) // a count, a time and a key that only signed variables have
		out = binary.LittleEndian.AppendUint32(out, uint32(len(name)))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(v.data)))
		out = append(out, efivar.Global[:]...)
		out = append(append(out, name...), v.data...)
		for len(out)%4 != 0 {
			out = append(out, 0xff)
		}
	}
	place := b[volumeHeader+storeHeader:]
	if len(place) < len(out) || len(bytes.Trim(place[:len(out)], "\xff")) > 0 {
		return errors.New("the store of the firmware's variables is not empty")
	}
	copy(place, out)
	return os.WriteFile(file, b, 0o644)
}
