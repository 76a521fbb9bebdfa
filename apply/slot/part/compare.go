package part

import "bytes"

// longZeros is from how many bytes on a device is asked to write zeros by itself.
const longZeros = 64 << 10

// span is a piece of a chunk that differs from what is there.
type span struct {
	from, to int // bytes in the chunk
	zeros    bool
}

// spans returns what of now differs from old, unit by unit. What old has no bytes of differs.
func spans(now, old []byte) []span {
	if bytes.Equal(now, old) {
		return nil
	}
	var all []span
	for from := 0; from < len(now); from += unit {
		to := min(from+unit, len(now))
		if to <= len(old) && bytes.Equal(now[from:to], old[from:to]) {
			continue
		}
		all = appendSpan(all, span{from, to, isZero(now[from:to])})
	}
	return joined(all)
}

// joined makes short runs of zeros bytes like others: they are not worth a request of their own.
func joined(all []span) []span {
	var out []span
	for _, s := range all {
		s.zeros = s.zeros && s.to-s.from >= longZeros
		out = appendSpan(out, s)
	}
	return out
}

func appendSpan(all []span, s span) []span {
	if n := len(all); n > 0 && all[n-1].to == s.from && all[n-1].zeros == s.zeros {
		all[n-1].to = s.to
		return all
	}
	return append(all, s)
}

var zeroUnit [unit]byte

func isZero(b []byte) bool {
	for len(b) > unit {
		if !bytes.Equal(b[:unit], zeroUnit[:]) {
			return false
		}
		b = b[unit:]
	}
	return bytes.Equal(b, zeroUnit[:len(b)])
}
