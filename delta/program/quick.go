package program

// What quick tells beside an instruction's size.
const (
	quickRefers = 1 << 5 // a branch, or a displacement that counts from the instruction's end
	quickFixed  = 1 << 6 // 32 bits that may be an absolute address
	quickSlow   = 1 << 7 // decode has to look
	quickModRM  = 1 << 4 // in tables: a ModRM byte follows
	quickSize   = quickModRM - 1
	quickSIB    = 1 << 4 // in the table of ModRM bytes: the SIB byte may ask for a displacement
)

// quickOps say of opcodes, without REX.W and with it, how many bytes they and their immediates take; quick0F of those
// behind 0F.
var quickOps, quick0F = func() (t [2][256]uint8, escaped [256]uint8) {
	for i := range 256 {
		for w := range t {
			t[w][i] = quickOp(opcodes[i], prefixes{rexW: w == 1})
		}
		escaped[i] = quickOp(opcodes0F[i], prefixes{})
	}
	for _, prefix := range []int{0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x62, 0x64, 0x65, 0x66, 0x67, 0xc4, 0xc5, 0xf0, 0xf2, 0xf3} {
		t[0][prefix], t[1][prefix] = quickSlow, quickSlow
	}
	escaped[0x38], escaped[0x3a] = quickSlow, quickSlow
	return t, escaped
}()

func quickOp(how byte, x prefixes) uint8 {
	kind := immediate(how &^ hasModRM)
	if how&illegal != 0 || kind == immTest || kind == immTestWord {
		return quickSlow
	}
	v := uint8(1 + kind.size(x))
	if how&hasModRM != 0 {
		v |= quickModRM
	}
	switch kind {
	case branch8, branch32:
		v |= quickRefers
	case immWord, immFull:
		v |= quickFixed
	}
	return v
}

// quickModRMs say of ModRM bytes how many bytes they and what follows take.
var quickModRMs = func() (t [256]uint8) {
	for i, follows := range commonModRM {
		t[i] = 1 + follows&7
		if follows&modSIB != 0 {
			t[i]++
			if i < 0x40 {
				t[i] |= quickSIB
			}
		}
		if follows&modRelative != 0 {
			t[i] |= quickRefers
		}
		if follows&modDisp != 0 {
			t[i] |= quickFixed
		}
	}
	return t
}()

// rexes is 1 for REX bytes, and 3 with W.
var rexes = func() (t [256]uint8) {
	for i := 0x40; i < 0x50; i++ {
		t[i] = 1 | uint8(i>>3&1)<<1
	}
	return t
}()

// quick tells an instruction's size and whether it may name an address, or that decode has to look: for most it is
// enough to know that.
func quick(b *[maxCommon]byte) uint8 {
	rex := rexes[b[0]]
	at := uint(rex & 1)
	d := quickOps[rex>>1][b[at]]
	if d&quickSlow != 0 {
		if b[at] != 0x0f {
			return quickSlow
		}
		at++
		if d = quick0F[b[at]]; d&quickSlow != 0 {
			return quickSlow
		}
	}
	size := uint8(at) + d&quickSize
	flags := d &^ (quickSize | quickModRM)
	if d&quickModRM != 0 {
		m := quickModRMs[b[at+1]]
		size += m & quickSize
		flags |= m &^ (quickSize | quickSIB)
		if m&quickSIB != 0 && b[at+2]&7 == 5 {
			size += 4
			flags |= quickFixed
		}
	}
	return size | flags
}

// referring returns what projecting needs of an instruction of which quick says that it refers to an address.
func referring(b *[maxCommon]byte, size uint8) instruction {
	in := instruction{size: int(size)}
	at := uint(rexes[b[0]] & 1)
	c := b[at]
	if c == 0x0f {
		at++
		if c = b[at]; c&0xf0 == 0x80 {
			in.immKind = branch32
			return in
		}
	} else if k := immediate(opcodes[c]); k == branch8 || k == branch32 {
		in.immKind = k
		return in
	}
	in.disp, in.relative = int(at+2), true
	return in
}
