package program

// maxCommon is how long the instructions are at most that common knows.
const maxCommon = 16

// Flags of commonModRM, beside the bytes of a displacement.
const (
	modSIB      = 1 << 3 // a byte for scale, index and base follows
	modDisp     = 1 << 4 // a displacement of 32 bits
	modRelative = 1 << 5 // which counts from the instruction's end
)

// commonModRM says what follows a ModRM byte in 64-bit mode, but for SIB bytes without a base.
var commonModRM = func() (t [256]byte) {
	for i := range t {
		mod, rm := i>>6, i&7
		if rm == 4 && mod != 3 {
			t[i] = modSIB
		}
		switch {
		case mod == 1:
			t[i] |= 1
		case mod == 2:
			t[i] |= modDisp | 4
		case mod == 0 && rm == 5:
			t[i] |= modDisp | modRelative | 4
		}
	}
	return t
}()

// commonSizes are the bytes of immediates, by REX.W (1) and operand-size prefix (2).
var commonSizes = func() (t [4][256]byte) {
	for i := range t {
		for k := range int(branch32) + 1 {
			t[i][k] = byte(immediate(k).size(prefixes{rexW: i&1 != 0, operand: i&2 != 0}))
		}
	}
	return t
}()

// common is decode for instructions of one or two bytes of opcode behind no prefixes but REX and one of
// those that SSE's have: for nearly all. It is not ok where decode has to look.
func common(b *[maxCommon]byte) (in instruction, ok bool) {
	at, sizes := 0, 0
	c := b[0]
	if c == 0x66 || c == 0xf2 || c == 0xf3 {
		if c == 0x66 {
			sizes = 2
		}
		at, c = 1, b[1]
	}
	if c&0xf0 == 0x40 {
		sizes |= int(c >> 3 & 1)
		at++
		c = b[at]
	}
	how := opcodes[c]
	at++
	if c == 0x0f {
		if c = b[at]; c == 0x38 || c == 0x3a {
			return in, false
		}
		how = opcodes0F[c]
		at++
	}
	if how&illegal != 0 {
		return in, false
	}
	kind := immediate(how &^ hasModRM)
	if how&hasModRM != 0 {
		in.modrm = at
		m := b[at&15]
		at++
		if kind == immTest || kind == immTestWord {
			return in, false
		}
		follows := commonModRM[m]
		if follows&modSIB != 0 {
			if b[at&15]&7 == 5 && m < 0x40 {
				follows |= modDisp | 4
			}
			at++
		}
		if follows&modDisp != 0 {
			in.disp, in.relative = at, follows&modRelative != 0
		}
		at += int(follows & 7)
	}
	in.immKind = kind
	if n := int(commonSizes[sizes][kind]); n > 0 {
		in.imm = at
		at += n
	}
	in.size = at
	return in, true
}
