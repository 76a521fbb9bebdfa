package delta

import (
	"encoding/binary"
	"io"
)

// stampField is a number in a tar header that often changes in all headers alike: a rebuilt image has
// other times, and one built by another user other owners.
type stampField struct{ offset, digits int }

// stampFields are in the order of a patch's flags.
var stampFields = [...]stampField{{tarTime, tarTimeDigits}, {tarUser, tarUserDigits}, {tarGroup, tarGroupDigits}}

// stamp says how one field changes.
type stamp struct {
	mode  stampMode
	value int64
}

type stampMode byte

// The modes. Their numbers stand in patches, two bits for each field.
const (
	stampNone  stampMode = iota // the field stays
	stampSet                    // it becomes the value
	stampShift                  // it grows by the value
	stampModes
)

// stampRule changes the fields of tar headers.
type stampRule [len(stampFields)]stamp

// maxStamp is the largest number that eleven octal digits hold.
const maxStamp = 1<<33 - 1

func (r stampRule) append(b []byte) []byte {
	flags := uint64(0)
	for i, s := range r {
		flags |= uint64(s.mode) << (2 * i)
	}
	b = binary.AppendUvarint(b, flags)
	for _, s := range r {
		if s.mode != stampNone {
			b = appendZigzag(b, s.value)
		}
	}
	return b
}

func readRule(from io.ByteReader) (r stampRule, err error) {
	flags, err := readUvarint(from, 1<<(2*len(r))-1)
	for i := range r {
		mode := stampMode(flags >> (2 * i) & 3)
		if mode == stampNone || err != nil {
			continue
		}
		if mode >= stampModes {
			return r, malformed("restamp of both kinds")
		}
		var value int64
		value, err = readUvarint(from, 2*maxStamp+1)
		r[i] = stamp{mode, unzigzag(value)}
	}
	return r, err
}

// apply changes fields of h, a tar header, and its checksum, and returns how many bytes of content
// follow, padding included. What is not a header it leaves as it is, and what the field has no room for.
func (r stampRule) apply(h []byte) int64 {
	size, ok := tarContent(h)
	if !ok {
		return 0
	}
	changed := false
	for i, s := range r {
		if s.mode != stampNone {
			changed = s.apply(h, stampFields[i]) || changed
		}
	}
	if changed {
		putOctal(h[tarChecksum:tarChecksum+tarChecksumDigits], tarSum(h))
	}
	return size
}

// apply changes one field. A time of 0 stays, and so do the owners of what describes the next header:
// writers fill them in for form's sake.
func (s stamp) apply(h []byte, f stampField) bool {
	b := h[f.offset:][:f.digits]
	old, ok := parseOctal(b)
	if !ok || f.offset == tarTime && old == 0 || f.offset != tarTime && isExtension(h[tarType]) {
		return false
	}
	now := s.value
	if s.mode == stampShift {
		now += old
	}
	if now == old || now < 0 || now >= 1<<(3*f.digits) {
		return false
	}
	putOctal(b, now)
	return true
}
