package delta

import (
	"encoding/binary"
	"io"
)

// timeRule changes the times of tar entries: a rebuilt image often differs in nothing else.
type timeRule struct {
	shift bool  // value is added to each time; else it is the time of all
	value int64 // seconds
}

// maxTime is the largest time that eleven octal digits hold.
const maxTime = 1<<33 - 1

func (t timeRule) append(b []byte) []byte {
	mode := uint64(0)
	if t.shift {
		mode = 1
	}
	return appendZigzag(binary.AppendUvarint(b, mode), t.value)
}

func readRule(r io.ByteReader) (timeRule, error) {
	mode, err := readUvarint(r, 1)
	if err != nil {
		return timeRule{}, err
	}
	value, err := readUvarint(r, 2*maxTime+1)
	return timeRule{shift: mode == 1, value: unzigzag(value)}, err
}

// apply changes the time in h, a tar header, and its checksum, and returns how many bytes of content
// follow, padding included. What is not a header it leaves as it is. A time of 0 stays: it marks
// headers that have none.
func (t timeRule) apply(h []byte) int64 {
	size, ok := tarContent(h)
	if !ok {
		return 0
	}
	old, ok := parseOctal(h[tarTime : tarTime+tarTimeDigits])
	if !ok || old == 0 {
		return size
	}
	now := t.value
	if t.shift {
		now += old
	}
	if now < 0 || now > maxTime {
		return size
	}
	putOctal(h[tarTime:tarTime+tarTimeDigits], now)
	putOctal(h[tarChecksum:tarChecksum+tarChecksumDigits], tarSum(h))
	return size
}
