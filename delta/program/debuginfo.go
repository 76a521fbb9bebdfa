package program

import (
	"bytes"
	"math"
)

// Limits on what is read of .debug_info. Units, and references, beyond stay as they are.
const (
	debugMaxUnits   = 1 << 16
	debugMaxNames   = 1 << 12 // abbreviations of a unit
	debugMaxFields  = 1 << 14 // of them
	debugFieldsByte = 4       // fields read for each byte of the section
)

// Attributes and forms of DWARF 5 (section 7.5) that matter here.
const (
	attrLines         = 0x10
	attrMacros        = 0x43
	attrRanges        = 0x55
	attrStringOffsets = 0x72
	attrAddresses     = 0x73
	attrRangeLists    = 0x74
	attrMacroInfo     = 0x79

	formAddress    = 0x01
	formBlock2     = 0x03
	formBlock4     = 0x04
	formString     = 0x08
	formBlock      = 0x09
	formBlock1     = 0x0a
	formStringAt   = 0x0e
	formRefAt      = 0x10
	formRef4       = 0x13
	formSection    = 0x17
	formExpression = 0x18
	formLineString = 0x1f
	formConstant   = 0x21
	formMax        = 0x2c

	opAddress = 3
)

// formLEB is for forms whose size is a number of 7 bits a byte; formUnknown for those that end reading.
const (
	formLEB     = -1
	formOther   = -2 // of its own kind, below
	formUnknown = -3
)

// formSizes are the bytes that forms take.
var formSizes = [formMax + 1]int8{
	0x00: formUnknown, formAddress: 8, 0x02: formUnknown, formBlock2: formOther, formBlock4: formOther, 0x05: 2, 0x06: 4, 0x07: 8,
	formString: formOther, formBlock: formOther, formBlock1: formOther, 0x0b: 1, 0x0c: 1, 0x0d: formLEB, formStringAt: 4, 0x0f: formLEB,
	formRefAt: 4, 0x11: 1, 0x12: 2, formRef4: 4, 0x14: 8, 0x15: formLEB, 0x16: formUnknown, formSection: 4, formExpression: formOther,
	0x19: 0, 0x1a: formLEB, 0x1b: formLEB, 0x1c: 4, 0x1d: 4, 0x1e: 16, formLineString: 4, 0x20: 8, formConstant: 0, 0x22: formLEB, 0x23: formLEB,
	0x24: 8, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2a: 2, 0x2b: 3, 0x2c: 4,
}

// debugField is an attribute of an abbreviation and its form.
type debugField struct{ attr, form uint64 }

// infoScan reads .debug_info.
type infoScan struct {
	p      *Program
	r      Region
	t      *table
	names  *table // abbreviations
	fields map[uint64][]debugField
	at     int64 // of the abbreviations in fields; negative: none
	count  int   // fields in there
	left   int64 // fields that may still be read
}

// debugInfo notes what .debug_info refers to.
func (p *Program) debugInfo(r Region) error {
	s := &infoScan{p: p, r: r, t: p.table(r.Offset, r.Size), names: p.table(0, p.Size), at: -1, left: debugFieldsByte * r.Size}
	for at := int64(0); at+12 <= r.Size && s.t.err == nil && s.names.err == nil && len(p.units) < debugMaxUnits; {
		length := int64(s.t.uint32(at))
		if length >= 0xfffffff0 || length > r.Size-at-4 {
			break
		}
		p.units = append(p.units, uint32(r.Offset+at))
		s.unit(at, at+4+length)
		at += 4 + length
	}
	if s.t.err != nil {
		return s.t.err
	}
	return s.names.err
}

// unit notes the references of the unit at an offset, up to its end.
func (s *infoScan) unit(at, end int64) {
	version := s.t.uint16(at + 4)
	names, size, next := int64(s.t.uint32(at+6)), s.t.bytes(at+10, 1)[0], at+11
	if version == 5 {
		kind := s.t.bytes(at+6, 1)[0]
		names, size, next = int64(s.t.uint32(at+8)), s.t.bytes(at+7, 1)[0], at+12
		switch kind {
		case 1, 3: // compile, partial
		case 4, 5: // skeleton, split
			next += 8
		default:
			return
		}
	}
	if version < 3 || version > 5 || size != 8 || !s.abbreviations(names) {
		return
	}
	for next < end && s.left > 0 {
		code, n := s.number(s.t, next)
		next += n
		if code == 0 {
			s.left--
			continue
		}
		fields, ok := s.fields[code]
		if !ok {
			return
		}
		for _, f := range fields {
			n, ok := s.field(f, next)
			if !ok || n > end-next {
				return
			}
			next += n
		}
		s.left -= int64(len(fields)) + 1
	}
}

// abbreviations reads those that stand at an offset of their section.
func (s *infoScan) abbreviations(offset int64) bool {
	base, ok := s.base(debugAbbreviations)
	if !ok {
		return false
	}
	if at := base + offset; at != s.at {
		s.at, s.fields, s.count = at, map[uint64][]debugField{}, 0
		for len(s.fields) < debugMaxNames && s.count < debugMaxFields && s.left > 0 {
			code, n := s.number(s.names, at)
			if at += n; code == 0 {
				break
			}
			_, n = s.number(s.names, at) // the tag
			at = s.abbreviation(code, at+n+1)
		}
	}
	return true
}

// abbreviation reads the fields of one, and returns where they end.
func (s *infoScan) abbreviation(code uint64, at int64) int64 {
	list := []debugField{}
	for ; s.count < debugMaxFields && s.left > 0; s.count++ {
		attr, n := s.number(s.names, at)
		form, m := s.number(s.names, at+n)
		at, s.left = at+n+m, s.left-1
		if attr == 0 && form == 0 {
			break
		}
		if form == formConstant {
			_, n = s.number(s.names, at)
			at += n
		}
		list = append(list, debugField{attr, form})
	}
	s.fields[code] = list
	return at
}

// base returns where a section begins in the old file.
func (s *infoScan) base(i int) (int64, bool) {
	at, ok := offset(s.p.OldLoads, s.p.Bases[s.r.Base+i].Old)
	return at, ok && at >= 0
}

// number reads a number of 7 bits a byte, and how many bytes it takes.
func (s *infoScan) number(t *table, at int64) (v uint64, n int64) {
	for shift := 0; shift < 63; shift += 7 {
		c := t.bytes(at+n, 1)[0]
		n++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, n
		}
	}
	return math.MaxInt32, n
}

// field notes the reference at an offset if a field has one, and returns how many bytes it takes; it is
// not ok if that is not known.
func (s *infoScan) field(f debugField, at int64) (n int64, ok bool) {
	if f.form > formMax {
		return 0, false
	}
	switch size := formSizes[f.form]; size {
	case formUnknown:
		return 0, false
	case formLEB:
		_, n = s.number(s.t, at)
		return n, true
	case formOther:
		return s.block(f.form, at), true
	default:
		s.reference(f, at)
		return int64(size), true
	}
}

func (s *infoScan) reference(f debugField, at int64) {
	from := -1
	switch f.form {
	case formAddress:
		s.p.note(s.r.Offset+at, absolute, 0)
	case formRef4:
		s.p.note(s.r.Offset+at, fromUnit, 0)
	case formRefAt:
		from = debugInfo
	case formStringAt:
		from = debugStrings
	case formLineString:
		from = debugLineStrings
	case formSection:
		from = sectionOf(f.attr)
	}
	if from >= 0 && s.p.Bases[s.r.Base+from].Old != 0 {
		s.p.note(s.r.Offset+at, fromBase, s.r.Base+from)
	}
}

// sectionOf returns which section an attribute's offset is of; negative: none that matters.
func sectionOf(attr uint64) int {
	switch attr {
	case attrLines:
		return debugLines
	case attrRanges, attrRangeLists:
		return debugRanges
	case attrStringOffsets:
		return debugStringOffsets
	case attrAddresses:
		return debugAddresses
	case attrMacros, attrMacroInfo:
		return -1
	}
	return debugLocations
}

// block notes the address in a block that begins with one, and returns how many bytes a block or text
// takes.
func (s *infoScan) block(form uint64, at int64) int64 {
	var size uint64
	var head int64
	switch form {
	case formString:
		return s.text(at)
	case formBlock1:
		size, head = uint64(s.t.bytes(at, 1)[0]), 1
	case formBlock2:
		size, head = uint64(s.t.uint16(at)), 2
	case formBlock4:
		size, head = uint64(s.t.uint32(at)), 4
	default:
		size, head = s.number(s.t, at)
	}
	if size >= 9 && s.t.bytes(at+head, 1)[0] == opAddress {
		s.p.note(s.r.Offset+at+head+1, absolute, 0)
	}
	return head + int64(min(size, maxFile))
}

// text returns how many bytes a text takes that ends with a 0.
func (s *infoScan) text(at int64) int64 {
	for n := int64(0); at+n < s.r.Size; {
		b := s.t.bytes(at+n, int(min(64, s.r.Size-at-n)))
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return n + int64(i) + 1
		}
		n += int64(len(b))
	}
	return s.r.Size - at + 1
}
