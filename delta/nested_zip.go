package delta

import (
	"bytes"
	"encoding/binary"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// Where fields stand in a zip file (APPNOTE.TXT 6.3).
const (
	zipEndSize     = 22 // end of central directory record
	zipEndCount    = 10
	zipEndStart    = 16
	zipEntrySize   = 46 // central directory header
	zipEntryMethod = 10
	zipEntryPacked = 20
	zipEntryNames  = 28 // lengths of name, extra field and comment
	zipEntryLocal  = 42
	zipLocalSize   = 30 // local file header
	zipLocalNames  = 26 // lengths of name and extra field
	zipDeflate     = 8
	zipMaxComment  = 1 << 16
)

// zipStreams returns the entries' streams as the central directory tells of them. What it tells wrong
// does not inflate and stays as it is, as do entries that are encrypted or beyond 4 GiB.
func zipStreams(b []byte) (list []packed) {
	end := bytes.LastIndex(b[max(0, len(b)-zipEndSize-zipMaxComment):], []byte("PK\x05\x06"))
	if end < 0 {
		return nil
	}
	end += max(0, len(b)-zipEndSize-zipMaxComment)
	if end > len(b)-zipEndSize {
		return nil
	}
	count := int(binary.LittleEndian.Uint16(b[end+zipEndCount:]))
	at := int(binary.LittleEndian.Uint32(b[end+zipEndStart:]))
	for range count {
		if at > end-zipEntrySize || string(b[at:at+4]) != "PK\x01\x02" {
			break
		}
		entry := b[at:]
		if p, ok := zipEntry(b, entry); ok {
			list = append(list, p)
		}
		at += zipEntrySize + lengths(entry[zipEntryNames:], 3)
	}
	return list
}

// zipEntry returns the stream that an entry of the central directory tells of.
func zipEntry(b, entry []byte) (packed, bool) {
	if binary.LittleEndian.Uint16(entry[zipEntryMethod:]) != zipDeflate {
		return packed{}, false
	}
	size := int(binary.LittleEndian.Uint32(entry[zipEntryPacked:]))
	local := int(binary.LittleEndian.Uint32(entry[zipEntryLocal:]))
	if local > len(b)-zipLocalSize || string(b[local:local+4]) != "PK\x03\x04" {
		return packed{}, false
	}
	start := local + zipLocalSize + lengths(b[local+zipLocalNames:], 2)
	return packed{offset: start, size: size, check: recompress.CheckNone}, size > 0 && size <= len(b)-start
}

// lengths returns the sum of n 16-bit numbers.
func lengths(b []byte, n int) int {
	sum := 0
	for i := range n {
		sum += int(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return sum
}
