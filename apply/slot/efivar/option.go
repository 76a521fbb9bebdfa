package efivar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Active is the attribute of a load option that the firmware takes by itself, in its turn.
const Active = 1 << 0

// LoadOption is a boot entry: the content of a variable Boot#### (EFI_LOAD_OPTION, section 3.1.3).
type LoadOption struct {
	Attributes  uint32
	Description string
	// Paths are device paths, one after the other: the first leads to the program, others are the vendor's.
	Paths []byte
	// Optional is what the program is handed.
	Optional []byte
}

// Types and subtypes of the nodes of a device path that this package knows (section 10.3).
const (
	typeMedia, subHardDrive, subFile = 4, 1, 4
	typeEnd, subEndAll, subEndOne    = 0x7f, 0xff, 0x01

	nodeHeader    = 4
	hardDriveSize = 42
	formatGPT     = 2
	signatureGUID = 2
)

// ParseLoadOption reads a boot entry; whatever it accepts, Append gives back byte for byte.
func ParseLoadOption(b []byte) (o LoadOption, err error) {
	const header = 6
	if len(b) < header {
		return o, errors.New("the boot entry is shorter than its header")
	}
	o.Attributes = binary.LittleEndian.Uint32(b)
	length := int(binary.LittleEndian.Uint16(b[4:]))
	var rest []byte
	if o.Description, rest, err = parseText(b[header:]); err != nil {
		return LoadOption{}, fmt.Errorf("the description of the boot entry %w", err)
	}
	if length > len(rest) {
		return LoadOption{}, errors.New("the device path of the boot entry is longer than the entry")
	}
	o.Paths, o.Optional = rest[:length:length], rest[length:]
	_, err = nodes(o.Paths)
	return o, err
}

// Append appends the bytes of the boot entry.
func (o LoadOption) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, o.Attributes)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(o.Paths)))
	b = appendText(b, o.Description)
	b = append(b, o.Paths...)
	return append(b, o.Optional...)
}

// node is one step of a device path.
type node struct {
	kind, sub byte
	data      []byte
}

// nodes are the steps of the first of device paths, without its end.
func nodes(b []byte) ([]node, error) {
	var all []node
	for len(b) >= nodeHeader {
		length := int(binary.LittleEndian.Uint16(b[2:]))
		if length < nodeHeader || length > len(b) {
			return nil, errors.New("a node of the device path is longer than the path, or has no length")
		}
		n := node{kind: b[0], sub: b[1], data: b[nodeHeader:length]}
		if n.kind == typeEnd && (n.sub == subEndAll || n.sub == subEndOne) {
			return all, nil
		}
		all, b = append(all, n), b[length:]
	}
	return nil, errors.New("the device path has no end")
}

// File is where the program of a boot entry lies.
type File struct {
	// Partition is the unique GUID of the partition in its GPT.
	Partition GUID
	// Path is the file's, with backslashes, from the root of the partition's file system.
	Path string
}

// Same tells whether two places are one: FAT knows no case.
func (f File) Same(g File) bool {
	return f.Partition == g.Partition && strings.EqualFold(clean(f.Path), clean(g.Path))
}

// clean is the path as firmware writes it.
func clean(path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool { return r == '\\' || r == '/' })
	return `\` + strings.Join(words, `\`)
}

// File tells where the program of the boot entry lies; false of one that is not a file on a GPT's partition.
func (o LoadOption) File() (f File, ok bool) {
	all, err := nodes(o.Paths)
	if err != nil {
		return f, false
	}
	var drive bool
	var parts []string
	for _, n := range all {
		switch {
		case n.kind == typeMedia && n.sub == subHardDrive && len(n.data) == hardDriveSize-nodeHeader:
			drive = n.data[36] == formatGPT && n.data[37] == signatureGUID
			copy(f.Partition[:], n.data[20:36])
			parts = nil
		case n.kind == typeMedia && n.sub == subFile:
			s, rest, err := parseText(n.data)
			if err != nil || len(rest) != 0 {
				return File{}, false
			}
			parts = append(parts, s)
		default:
			drive, parts = false, nil
		}
	}
	f.Path = clean(strings.Join(parts, `\`))
	return f, drive && len(parts) > 0
}

// Place is a partition as a device path tells it: its number in the GPT, and its first block and its size in logical blocks.
type Place struct {
	Number      uint32
	Start, Size uint64
}

// DevicePath is the device path of a file in its short form, which begins with the partition; firmware finds the disk by the GUID.
func (f File) DevicePath(p Place) []byte {
	b := []byte{typeMedia, subHardDrive, hardDriveSize, 0}
	b = binary.LittleEndian.AppendUint32(b, p.Number)
	b = binary.LittleEndian.AppendUint64(b, p.Start)
	b = binary.LittleEndian.AppendUint64(b, p.Size)
	b = append(b, f.Partition[:]...)
	b = append(b, formatGPT, signatureGUID)
	name := appendText(nil, clean(f.Path))
	b = append(b, typeMedia, subFile)
	b = binary.LittleEndian.AppendUint16(b, uint16(nodeHeader+len(name)))
	b = append(b, name...)
	return append(b, typeEnd, subEndAll, nodeHeader, 0)
}
