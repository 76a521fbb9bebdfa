package program

// instruction is an x86-64 instruction as far as projection cares: its length and which of its bytes
// may name an address.
type instruction struct {
	size     int
	modrm    int  // offset of the ModRM byte, 0: none
	disp     int  // offset of a displacement of 32 bits that names an address, 0: none
	relative bool // the displacement counts from the instruction's end, not from 0
	imm      int  // offset of the immediate operand, 0: none
	immKind  immediate
}

// immediate is what follows an opcode and its operands in memory.
type immediate byte

const (
	noImmediate immediate = iota
	imm8
	imm16
	imm24    // ENTER's 16 and 8 bits
	immWord  // 32 bits; 16 with an operand-size prefix
	immFull  // the same; 64 with REX.W
	immMoffs // 64 bits; 32 with an address-size prefix
	immTest  // imm8 where the ModRM byte's register is 0 or 1
	immTestWord
	branch8
	branch32
)

// What stands in opcode tables beside immediates.
const (
	hasModRM = 1 << 6
	illegal  = 1 << 7
)

// opcodes are the one-byte opcodes of Intel's manual (volume 2, appendix A) in 64-bit mode; prefixes
// and escapes, which decode knows, count as illegal. opcodes0F are those behind 0F.
var opcodes, opcodes0F = oneByteOpcodes(), twoByteOpcodes()

func oneByteOpcodes() (t [256]byte) {
	fill := func(v byte, from, to int) {
		for i := from; i <= to; i++ {
			t[i] = v
		}
	}
	for i := 0; i < 0x40; i += 8 {
		fill(hasModRM, i, i+3)
		t[i+4], t[i+5], t[i+6], t[i+7] = byte(imm8), byte(immWord), illegal, illegal
	}
	fill(illegal, 0x40, 0x4f)
	fill(illegal, 0x60, 0x67)
	t[0x63], t[0x68], t[0x69] = hasModRM, byte(immWord), hasModRM|byte(immWord)
	t[0x6a], t[0x6b] = byte(imm8), hasModRM|byte(imm8)
	fill(byte(branch8), 0x70, 0x7f)
	fill(hasModRM, 0x80, 0x8f)
	t[0x80], t[0x81], t[0x82], t[0x83] = hasModRM|byte(imm8), hasModRM|byte(immWord), illegal, hasModRM|byte(imm8)
	t[0x9a] = illegal
	fill(byte(immMoffs), 0xa0, 0xa3)
	t[0xa8], t[0xa9] = byte(imm8), byte(immWord)
	fill(byte(imm8), 0xb0, 0xb7)
	fill(byte(immFull), 0xb8, 0xbf)
	t[0xc0], t[0xc1], t[0xc2] = hasModRM|byte(imm8), hasModRM|byte(imm8), byte(imm16)
	t[0xc4], t[0xc5], t[0xc6], t[0xc7] = illegal, illegal, hasModRM|byte(imm8), hasModRM|byte(immWord)
	t[0xc8], t[0xca], t[0xcd], t[0xce] = byte(imm24), byte(imm16), byte(imm8), illegal
	fill(hasModRM, 0xd0, 0xd3)
	fill(illegal, 0xd4, 0xd6)
	fill(hasModRM, 0xd8, 0xdf)
	fill(byte(branch8), 0xe0, 0xe3)
	fill(byte(imm8), 0xe4, 0xe7)
	t[0xe8], t[0xe9], t[0xea], t[0xeb] = byte(branch32), byte(branch32), illegal, byte(branch8)
	t[0xf0], t[0xf2], t[0xf3] = illegal, illegal, illegal
	t[0xf6], t[0xf7], t[0xfe], t[0xff] = hasModRM|byte(immTest), hasModRM|byte(immTestWord), hasModRM, hasModRM
	return t
}

func twoByteOpcodes() (t [256]byte) {
	for i := range t {
		t[i] = hasModRM
	}
	for _, r := range [][2]int{{0x05, 0x09}, {0x0b, 0x0b}, {0x0e, 0x0e}, {0x30, 0x35}, {0x37, 0x37}, {0x77, 0x77}, {0xa0, 0xa2}, {0xa8, 0xaa}, {0xc8, 0xcf}} {
		for i := r[0]; i <= r[1]; i++ {
			t[i] = 0
		}
	}
	for _, i := range []int{0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x36, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f} {
		t[i] = illegal
	}
	for i := 0x80; i < 0x90; i++ {
		t[i] = byte(branch32)
	}
	for _, i := range []int{0x0f, 0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6} {
		t[i] |= byte(imm8)
	}
	return t
}

// prefixes are what stands in front of an opcode.
type prefixes struct {
	rexW, operand, address bool
}

// decode looks at the instruction that b begins with. It is not ok where that is none, or b too
// short for it.
func decode(b []byte) (in instruction, ok bool) {
	if len(b) >= maxCommon {
		if in, ok = common((*[maxCommon]byte)(b)); ok {
			return in, ok
		}
	}
	return decodeAny(b)
}

func decodeAny(b []byte) (in instruction, ok bool) {
	if len(b) > MaxInstruction {
		b = b[:MaxInstruction]
	}
	var x prefixes
	at := 0
	for ; at < len(b) && isPrefix(b[at]); at++ {
		x.operand = x.operand || b[at] == 0x66
		x.address = x.address || b[at] == 0x67
	}
	if at < len(b) && b[at]&0xf0 == 0x40 {
		x.rexW = b[at]&8 != 0
		at++
	}
	if at >= len(b) {
		return in, false
	}
	how, at := opcode(b, at)
	if how&illegal != 0 {
		return in, false
	}
	return operands(b, at, how, x)
}

func isPrefix(c byte) bool {
	switch c {
	case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3:
		return true
	}
	return false
}

// MaxInstruction is how long the processor lets an instruction be.
const MaxInstruction = 15

// opcode reads the opcode at b[at], with a VEX or EVEX prefix if there is one, and returns how it goes
// on and where.
func opcode(b []byte, at int) (how byte, next int) {
	rest := len(b) - at
	c := b[at]
	switch {
	case c == 0x0f && rest > 1:
		switch b[at+1] {
		case 0x38:
			return mapped(b, 2, at+2)
		case 0x3a:
			return mapped(b, 3, at+2)
		}
		return mapped(b, 1, at+1)
	case c == 0xc5 && rest > 2:
		return mapped(b, 1, at+2)
	case c == 0xc4 && rest > 3:
		return mapped(b, b[at+1]&0x1f, at+3)
	case c == 0x62 && rest > 4:
		return mapped(b, b[at+1]&7, at+4)
	}
	return opcodes[c], at + 1
}

// mapped returns what an opcode of one of the larger opcode maps means.
func mapped(b []byte, number byte, at int) (how byte, next int) {
	if at >= len(b) {
		return illegal, at
	}
	switch number {
	case 1:
		return opcodes0F[b[at]], at + 1
	case 2, 5, 6:
		return hasModRM, at + 1
	case 3:
		return hasModRM | byte(imm8), at + 1
	}
	return illegal, at
}

// operands reads what follows an opcode.
func operands(b []byte, at int, how byte, x prefixes) (in instruction, ok bool) {
	kind := immediate(how &^ hasModRM)
	if how&hasModRM != 0 {
		if at >= len(b) {
			return in, false
		}
		in.modrm = at
		mod, reg, rm := b[at]>>6, b[at]>>3&7, b[at]&7
		at++
		if kind == immTest || kind == immTestWord {
			switch {
			case reg > 1:
				kind = noImmediate
			case kind == immTest:
				kind = imm8
			default:
				kind = immWord
			}
		}
		base := rm
		if rm == 4 && mod != 3 {
			if at >= len(b) {
				return in, false
			}
			base = b[at] & 7
			at++
		}
		switch {
		case mod == 1:
			at++
		case mod == 2:
			in.disp = at
			at += 4
		case mod == 0 && base == 5:
			in.disp, in.relative = at, rm == 5
			at += 4
		}
	}
	in.immKind = kind
	if n := kind.size(x); n > 0 {
		in.imm = at
		at += n
	}
	in.size = at
	return in, at <= len(b)
}

func (k immediate) size(x prefixes) int {
	switch k {
	case imm8, branch8:
		return 1
	case imm16:
		return 2
	case imm24:
		return 3
	case immFull:
		if x.rexW {
			return 8
		}
		fallthrough
	case immWord:
		if x.operand && !x.rexW {
			return 2
		}
		return 4
	case immMoffs:
		if x.address {
			return 4
		}
		return 8
	case branch32:
		return 4
	}
	return 0
}
