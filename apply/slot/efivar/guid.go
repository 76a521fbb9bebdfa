package efivar

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is a globally unique identifier in the order of bytes that UEFI keeps it in: the first three groups little-endian.
type GUID [16]byte

// The vendors of the variables that this program reads. Global's are the specification's own, Loader's those of the Boot Loader
// Interface, by which systemd-boot and the system talk to each other.
var (
	Global = must("8be4df61-93ca-11d2-aa0d-00e098032b8c")
	Loader = must("4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
)

func must(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// ParseGUID reads the usual 36 characters, in either case.
func ParseGUID(s string) (g GUID, err error) {
	flat := strings.ReplaceAll(s, "-", "")
	b, err := hex.DecodeString(flat)
	if err != nil || len(b) != len(g) || len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, fmt.Errorf("%q is not a GUID, as in 8be4df61-93ca-11d2-aa0d-00e098032b8c", s)
	}
	copy(g[:], b)
	return g.swapped(), nil
}

// String is the usual form in lower case.
func (g GUID) String() string {
	b := g.swapped()
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// swapped turns the first three groups around.
func (g GUID) swapped() GUID {
	binary.BigEndian.PutUint32(g[0:], binary.LittleEndian.Uint32(g[0:]))
	binary.BigEndian.PutUint16(g[4:], binary.LittleEndian.Uint16(g[4:]))
	binary.BigEndian.PutUint16(g[6:], binary.LittleEndian.Uint16(g[6:]))
	return g
}
