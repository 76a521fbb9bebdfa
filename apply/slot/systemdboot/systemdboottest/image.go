package systemdboottest

import "encoding/binary"

// Image is a unified kernel image with an os-release in it, and with nothing to start.
func Image(release string) string {
	const pe, table, data = 0x80, 0x80 + 24 + 16, 0x200
	b := make([]byte, data)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], pe)
	copy(b[pe:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[pe+6:], 2)
	binary.LittleEndian.PutUint16(b[pe+20:], 16)
	copy(b[table:], ".text")
	s := b[table+40:]
	copy(s, ".osrel")
	binary.LittleEndian.PutUint32(s[8:], uint32(len(release)))
	binary.LittleEndian.PutUint32(s[16:], 512)
	binary.LittleEndian.PutUint32(s[20:], data)
	return string(b) + release + string(make([]byte, 512-len(release)))
}
