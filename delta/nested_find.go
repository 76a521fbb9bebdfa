package delta

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// packed is a DEFLATE stream inside of a file's content.
type packed struct {
	offset, size int // without the check
	check        recompress.Check
	plain        []byte // nil: not inflated yet
}

func (p packed) end() int { return p.offset + p.size }

// growth returns by how many bytes expanding p makes its file longer.
func (p packed) growth() int64 { return int64(len(p.plain) - p.size) }

// packedStreams returns the DEFLATE streams that a content is known to hold, in order and without
// overlaps: of gzip files, archives and programs with compressed sections. They may be damaged.
func packedStreams(b []byte) []packed {
	var list []packed
	switch {
	case isGzipMember(b):
		list = gzipStreams(b, 0, loadLimit)
	case bytes.HasPrefix(b, []byte("\x7fELF\x02\x01")):
		list = elfStreams(b)
	case bytes.HasPrefix(b, []byte(arMagic)):
		list = arStreams(b)
	default:
		list = zipStreams(b)
	}
	slices.SortStableFunc(list, func(x, y packed) int { return x.offset - y.offset })
	end := 0
	return slices.DeleteFunc(list, func(p packed) bool {
		if p.offset < end || p.size < leastPacked || p.end() > len(b)-p.check.Size() {
			return true
		}
		end = p.end() + p.check.Size()
		return false
	})
}

// leastPacked bytes of a stream are worth expanding it.
const leastPacked = 16

func isGzipMember(b []byte) bool {
	return len(b) > 18 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 && b[3]&0xe0 == 0
}

// gzipStreams returns the members that follow each other from offset at on. Where one ends is known
// only when it has been inflated.
func gzipStreams(b []byte, at int, limit int64) (list []packed) {
	for isGzipMember(b[at:]) {
		start, ok := gzipBody(b, at)
		if !ok {
			break
		}
		p := packed{offset: start, check: recompress.CheckGzip}
		if !p.inflate(b, limit) {
			break
		}
		limit -= int64(len(p.plain))
		list = append(list, p)
		at = min(len(b), p.end()+p.check.Size())
	}
	return list
}

// gzipBody returns where the stream of the gzip member at an offset begins (RFC 1952).
func gzipBody(b []byte, at int) (int, bool) {
	flags := b[at+3]
	next := at + 10
	if flags&4 != 0 { // extra field
		if next+2 > len(b) {
			return 0, false
		}
		next += 2 + int(binary.LittleEndian.Uint16(b[next:]))
	}
	for _, text := range []byte{8, 16} { // name, comment
		if flags&text == 0 || next > len(b) {
			continue
		}
		n := bytes.IndexByte(b[next:], 0)
		if n < 0 {
			return 0, false
		}
		next += n + 1
	}
	if flags&2 != 0 { // header's checksum
		next += 2
	}
	return next, next < len(b)
}

// inflate expands p, at most to limit bytes. A stream whose size is known has to end there.
func (p *packed) inflate(b []byte, limit int64) bool {
	end := len(b)
	if p.size > 0 {
		end = p.end()
	}
	in := bytes.NewReader(b[p.offset:end])
	var plain bytes.Buffer
	if _, err := recompress.Inflate(&plain, in, limit); err != nil || p.size > 0 && in.Len() > 0 {
		return false
	}
	p.size, p.plain = end-p.offset-in.Len(), plain.Bytes()
	if p.plain == nil {
		p.plain = []byte{}
	}
	return true
}

const arMagic = "!<arch>\n"

// arStreams returns the gzip members of an archive's members, and the sections of its objects: of
// Debian packages and static libraries.
func arStreams(b []byte) (list []packed) {
	limit := int64(loadLimit)
	const headerSize, sizeAt, sizeSize = 60, 48, 10
	for at := len(arMagic); at <= len(b)-headerSize; {
		size, ok := decimal(b[at+sizeAt:][:sizeSize])
		at += headerSize
		if !ok || size > len(b)-at {
			break
		}
		content := b[at:][:size]
		var inner []packed
		switch {
		case isGzipMember(content):
			inner = gzipStreams(content, 0, limit)
		case bytes.HasPrefix(content, []byte("\x7fELF\x02\x01")):
			inner = elfStreams(content)
		}
		for _, p := range inner {
			limit -= int64(len(p.plain))
			p.offset += at
			list = append(list, p)
		}
		at += size + size&1
	}
	return list
}

// decimal reads a number that blanks follow.
func decimal(b []byte) (int, bool) {
	v, ok := 0, false
	for _, c := range bytes.TrimRight(b, " ") {
		if c < '0' || c > '9' || v > min(1<<40, math.MaxInt>>4) {
			return 0, false
		}
		v, ok = v*10+int(c-'0'), true
	}
	return v, ok
}
