package delta

import (
	"bytes"
	"encoding/binary"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// Where fields stand in 64-bit little-endian ELF files.
const (
	elfHeaderSize    = 64
	elfSections      = 0x28 // e_shoff
	elfSectionSize   = 0x3a // e_shentsize
	elfSectionCount  = 0x3c // e_shnum
	shdrSize         = 64
	shdrType         = 4
	shdrFlags        = 8
	shdrOffset       = 24
	shdrBytes        = 32
	shfCompressed    = 1 << 11
	shtNoBits        = 8
	chdrSize         = 24 // Elf64_Chdr in front of a compressed section
	elfCompressZlib  = 1
	zlibHeaderSize   = 2
	zlibPresetDict   = 0x20
	gnuCompressed    = "ZLIB" // in front of a .zdebug section, with the size behind it
	gnuCompressedLen = 12
)

// sectionTable returns an ELF file's section headers.
func sectionTable(b []byte) []byte {
	if len(b) < elfHeaderSize {
		return nil
	}
	at := binary.LittleEndian.Uint64(b[elfSections:])
	n := uint64(binary.LittleEndian.Uint16(b[elfSectionCount:])) * shdrSize
	if binary.LittleEndian.Uint16(b[elfSectionSize:]) != shdrSize || at > uint64(len(b)) || n > uint64(len(b))-at {
		return nil
	}
	return b[at:][:n]
}

// elfStreams returns the streams of compressed sections: as the gABI has them, and as GNU tools and
// Go had them before.
func elfStreams(b []byte) (list []packed) {
	for table := sectionTable(b); len(table) > 0; table = table[shdrSize:] {
		if p, ok := compressedSection(b, table); ok {
			list = append(list, p)
		}
	}
	return list
}

func compressedSection(b, shdr []byte) (packed, bool) {
	at, size := binary.LittleEndian.Uint64(shdr[shdrOffset:]), binary.LittleEndian.Uint64(shdr[shdrBytes:])
	if binary.LittleEndian.Uint32(shdr[shdrType:]) == shtNoBits || at > uint64(len(b)) || size > uint64(len(b))-at {
		return packed{}, false
	}
	content, head := b[at:][:size], gnuCompressedLen
	if binary.LittleEndian.Uint64(shdr[shdrFlags:])&shfCompressed != 0 {
		if head = chdrSize; len(content) < head || binary.LittleEndian.Uint32(content) != elfCompressZlib {
			return packed{}, false
		}
	} else if !bytes.HasPrefix(content, []byte(gnuCompressed)) {
		return packed{}, false
	}
	body := len(content) - head - zlibHeaderSize - recompress.CheckAdler32.Size()
	if body <= 0 || content[head]&15 != 8 || content[head+1]&zlibPresetDict != 0 {
		return packed{}, false
	}
	return packed{offset: int(at) + head + zlibHeaderSize, size: body, check: recompress.CheckAdler32}, true
}

// maxReshaped bounds the streams of a file that reshape looks at for each section.
const maxReshaped = 256

// reshape gives b, an expanded ELF file, section headers that fit it, so that whoever looks for its
// sections finds them. The function that it returns takes that back.
func reshape(b []byte, streams []packed) (undo func()) {
	if !bytes.HasPrefix(b, []byte("\x7fELF\x02\x01")) || len(b) < elfHeaderSize || len(streams) == 0 || len(streams) > maxReshaped {
		return func() {}
	}
	moved := func(offset uint64) uint64 {
		to := offset
		for _, p := range streams {
			if offset >= uint64(p.end()) {
				to += uint64(len(p.plain) - p.size - p.check.Size())
			}
		}
		return to
	}
	was := binary.LittleEndian.Uint64(b[elfSections:])
	binary.LittleEndian.PutUint64(b[elfSections:], moved(was))
	table := sectionTable(b)
	saved := bytes.Clone(table)
	for at := 0; at < len(table); at += shdrSize {
		shdr := table[at:][:shdrSize]
		offset := binary.LittleEndian.Uint64(shdr[shdrOffset:])
		binary.LittleEndian.PutUint64(shdr[shdrOffset:], moved(offset))
		for _, p := range streams {
			if uint64(p.offset) > offset && uint64(p.offset) <= offset+chdrSize+zlibHeaderSize {
				binary.LittleEndian.PutUint64(shdr[shdrOffset:], moved(offset)+uint64(p.offset)-offset)
				binary.LittleEndian.PutUint64(shdr[shdrBytes:], uint64(len(p.plain)))
				flags := binary.LittleEndian.Uint64(shdr[shdrFlags:])
				binary.LittleEndian.PutUint64(shdr[shdrFlags:], flags&^shfCompressed)
			}
		}
	}
	return func() {
		copy(table, saved)
		binary.LittleEndian.PutUint64(b[elfSections:], was)
	}
}
