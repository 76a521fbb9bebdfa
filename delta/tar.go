package delta

// Where fields stand in a tar header (POSIX.1-1988 and all its dialects).
const (
	tarBlock          = 512
	tarName           = 0
	tarNameSize       = 100
	tarUser           = 108
	tarUserDigits     = 7
	tarGroup          = 116
	tarGroupDigits    = 7
	tarSize           = 124
	tarSizeSize       = 12
	tarTime           = 136
	tarTimeDigits     = 11
	tarChecksum       = 148
	tarChecksumDigits = 6
	tarChecksumSize   = 8
	tarType           = 156
	tarMagic          = 257
	tarPrefix         = 345
	tarPrefixSize     = 155
	tarSparseMore     = 482 // GNU sparse: more map blocks follow
	tarSparseMoreNext = 504 // the same in such a block
)

// tarSum returns the checksum that belongs into header h.
func tarSum(h []byte) int64 {
	sum := int64(tarChecksumSize) * ' '
	for i, c := range h[:tarBlock] {
		if i < tarChecksum || i >= tarChecksum+tarChecksumSize {
			sum += int64(c)
		}
	}
	return sum
}

// isTarHeader tells whether h carries its checksum.
func isTarHeader(h []byte) bool {
	want, ok := parseOctal(h[tarChecksum : tarChecksum+tarChecksumSize])
	return ok && want == tarSum(h)
}

// isExtension tells types of entries that describe the one behind them: PAX records and GNU's long names.
func isExtension(kind byte) bool { return kind == 'x' || kind == 'g' || kind == 'L' || kind == 'K' }

// tarContent returns how many bytes follow header h as content, padding included.
func tarContent(h []byte) (int64, bool) {
	if !isTarHeader(h) {
		return 0, false
	}
	size, ok := parseTarNumber(h[tarSize : tarSize+tarSizeSize])
	if !ok {
		return 0, false
	}
	switch h[tarType] {
	case '1', '2', '3', '4', '5', '6': // links, devices and directories have none
		return 0, true
	}
	return padded(size), true
}

func padded(size int64) int64 { return (size + tarBlock - 1) &^ (tarBlock - 1) }

// parseTarNumber reads an octal or a base-256 number.
func parseTarNumber(b []byte) (int64, bool) {
	if b[0]&0x80 == 0 {
		return parseOctal(b)
	}
	v := int64(b[0] & 0x7f)
	for _, c := range b[1:] {
		if v >= maxSize>>8 {
			return 0, false
		}
		v = v<<8 | int64(c)
	}
	return v, true
}

// parseOctal reads octal digits between blanks, up to a zero byte or the end.
func parseOctal(b []byte) (int64, bool) {
	i := 0
	for i < len(b) && b[i] == ' ' {
		i++
	}
	var v int64
	start := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '7'; i++ {
		v = v<<3 | int64(b[i]-'0')
	}
	ends := i == len(b) || b[i] == 0 || b[i] == ' '
	return v, ends && i > start
}

// putOctal fills b with v's octal digits.
func putOctal(b []byte, v int64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v&7)
		v >>= 3
	}
}
