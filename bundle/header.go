package bundle

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

const (
	blockSize  = 512
	nameLayout = "oci-layout"
	nameIndex  = "index.json"
	blobPrefix = "blobs/sha256/"
	endMarker  = "the end marker" // in messages
)

// trailer is how much stands after the last entry: two zero blocks.
const trailer = 2 * blockSize

// header is one tar header block. There is exactly one for a name and a size.
type header [blockSize]byte

// Offsets and lengths of the USTAR fields that are used (POSIX.1-1988).
const (
	offMode, offUID, offGID      = 100, 108, 116
	offSize, offMtime, offChksum = 124, 136, 148
	offType, offMagic            = 156, 257
	offDevMajor, offDevMinor     = 329, 337
	lenName, lenID, lenSize      = 100, 8, 12
)

// makeHeader is the header of a regular file: mode 0644, user and group 0 and nameless, time 0.
// name is at most 100 bytes and size at most MaxBlobSize; the callers in this package see to that.
func makeHeader(name string, size int64) *header {
	h := plainHeader(name, size, '0', 0o644)
	h.octal(offDevMajor, lenID, 0)
	h.octal(offDevMinor, lenID, 0)
	h.seal()
	return h
}

// plainHeader is a header without devices, still to be sealed.
func plainHeader(name string, size int64, kind byte, mode int64) *header {
	h := &header{}
	copy(h[:lenName], name)
	h.octal(offMode, lenID, mode)
	h.octal(offUID, lenID, 0)
	h.octal(offGID, lenID, 0)
	h.octal(offSize, lenSize, size)
	h.octal(offMtime, lenSize, 0)
	h[offType] = kind
	copy(h[offMagic:], "ustar\x0000")
	return h
}

// seal writes the checksum. Its field ends in a zero and a space, unlike the others.
func (h *header) seal() { copy(h[offChksum:], fmt.Sprintf("%06o\x00 ", h.checksum())) }

// makeHead is all that stands before the body of an entry: a header, or for a size that none can tell the extended header
// of POSIX.1-2001, its record, and a header whose size is 0.
func makeHead(name string, size int64) []byte {
	if size <= MaxBlobSize {
		return makeHeader(name, size)[:]
	}
	head := make([]byte, headBytes(size))
	record := sizeRecord(size)
	extended := plainHeader(extendedName(name), int64(len(record)), 'x', 0)
	extended.seal()
	copy(head, extended[:])
	copy(head[blockSize:], record)
	copy(head[2*blockSize:], makeHeader(name, 0)[:])
	return head
}

// headBytes is how many bytes stand before the body of an entry.
func headBytes(size int64) int64 {
	if size <= MaxBlobSize {
		return blockSize
	}
	return 3 * blockSize
}

// sizeRecord tells a size of ten or eleven digits in an extended header. It begins with its own length, which has two.
func sizeRecord(size int64) string {
	record := fmt.Sprintf(" size=%d\n", size)
	return strconv.Itoa(len(record)+2) + record
}

// extendedFolder stands in the names of extended headers, where POSIX suggests it.
const extendedFolder = "PaxHeaders.0/"

// extendedName is the name of the extended header for an entry.
func extendedName(name string) string {
	at := strings.LastIndexByte(name, '/') + 1
	return name[:at] + extendedFolder + name[at:]
}

// octal writes n with leading zeros and a closing zero byte.
func (h *header) octal(off, length int, n int64) {
	copy(h[off:], fmt.Sprintf("%0*o\x00", length-1, n))
}

// checksum is the sum of all bytes, those of the checksum field taken as spaces.
func (h *header) checksum() int64 {
	var sum int64
	for i, b := range h {
		if i >= offChksum && i < offChksum+8 {
			b = ' '
		}
		sum += int64(b)
	}
	return sum
}

// describe tells what a block that is not the expected header seems to be. It is for messages only.
func (h *header) describe() (name string, ok bool) {
	sum, err := strconv.ParseInt(string(bytes.Trim(h[offChksum:offChksum+8], " \x00")), 8, 64)
	if err != nil || sum != h.checksum() {
		return "", false
	}
	n, _, _ := bytes.Cut(h[:lenName], []byte{0})
	if h[offType] == 'x' {
		return strings.Replace(string(n), extendedFolder, "", 1), true
	}
	return string(n), true
}

// size is the size that the header tells; whether the header is right, comparing it with makeHeader's tells.
func (h *header) size() (int64, error) {
	n, err := strconv.ParseInt(string(h[offSize:offSize+lenSize-1]), 8, 64)
	if err != nil || n < 0 {
		return 0, formatf("the header tells no size")
	}
	return n, nil
}

func (h *header) zero() bool { return *h == header{} }

// blobName is the entry name of a blob. d is a valid sha256 digest.
func blobName(d digest.Digest) string { return blobPrefix + d.Encoded() }

// label is what to call an entry in a message. Names come from files that nobody has verified.
func label(name string) string {
	if hex, ok := strings.CutPrefix(name, blobPrefix); ok && digestSyntax.MatchString("sha256:"+hex) {
		return "blob " + hex[:12]
	}
	if name == nameLayout || name == nameIndex || name == endMarker {
		return name
	}
	return strconv.Quote(name)
}

// shortDigest is a digest in a message: enough of it to find the blob.
func shortDigest(d digest.Digest) string { return d.Encoded()[:12] }

// padding is how many zero bytes follow a body of this size.
func padding(size int64) int64 { return -size & (blockSize - 1) }

// entrySize is what an entry takes in the tar.
func entrySize(size int64) int64 { return headBytes(size) + size + padding(size) }
