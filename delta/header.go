package delta

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// magic begins every patch. The version follows.
const magic = "SPDELTA\n"

const version = 1

// Limits of the numbers in a patch.
const (
	maxOlds        = 1024
	maxSize        = 1 << 40 // bytes of a blob, plain or not
	maxStreams     = 32
	maxMemory      = 8 << 20  // coded bytes of streams kept in memory; more go to a file
	maxWindow      = 8 << 20  // bytes of one zstd stream's window
	maxRecipeCoded = 32 << 20 // bytes of the recipe's stream
)

// header stands in front of a patch's streams.
type header struct {
	blobSize   int64
	blobDigest [sha256.Size]byte
	plainSize  int64
	scratch    int64   // bytes of files that one operation needs at most
	olds       []oldID // those that the patch reads
	streams    []streamInfo
}

// oldID is what an old has to be.
type oldID struct {
	tokens bool // the blob's encoder decides as this old's did
	size   int64
	digest [sha256.Size]byte
}

// streamInfo describes one stream. The streams' bodies follow the header in this order.
type streamInfo struct {
	id    streamID
	codec codec
	plain int64 // bytes, decoded
	coded int64 // bytes, as they stand in the patch
}

func (h *header) marshal() []byte {
	b := append([]byte(magic), version)
	b = binary.AppendUvarint(b, uint64(h.blobSize))
	b = append(b, h.blobDigest[:]...)
	b = binary.AppendUvarint(b, uint64(h.plainSize))
	b = binary.AppendUvarint(b, uint64(h.scratch))
	b = binary.AppendUvarint(b, uint64(len(h.olds)))
	for _, o := range h.olds {
		if o.tokens {
			b = append(b, 2)
		} else {
			b = append(b, 1)
		}
		b = binary.AppendUvarint(b, uint64(o.size))
		b = append(b, o.digest[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(h.streams)))
	for _, s := range h.streams {
		b = append(b, byte(s.id), byte(s.codec))
		b = binary.AppendUvarint(b, uint64(s.plain))
		b = binary.AppendUvarint(b, uint64(s.coded))
	}
	return b
}

func readHeader(r *bufio.Reader) (*header, error) {
	p := &fields{r: r}
	if string(p.bytes(len(magic))) != magic {
		return nil, p.fail(malformed("does not begin as a patch does"))
	}
	if v := p.uvarint(1 << 32); v != version {
		return nil, p.fail(newer("version %d; this program knows %d", v, version))
	}
	h := &header{blobSize: p.uvarint(maxSize)}
	copy(h.blobDigest[:], p.bytes(sha256.Size))
	h.plainSize = p.uvarint(maxSize)
	h.scratch = p.uvarint(maxExpanded)
	for range p.uvarint(maxOlds) {
		h.olds = append(h.olds, p.old())
	}
	for range p.uvarint(maxStreams) {
		s := streamInfo{id: streamID(p.byte()), codec: codec(p.byte()), plain: p.uvarint(maxSize), coded: p.uvarint(maxSize)}
		if n := len(h.streams); n > 0 && h.streams[n-1].id == s.id {
			p.err = p.fail(malformed("stream %d stands twice", s.id))
		}
		h.streams = append(h.streams, s)
	}
	return h, p.fail(nil)
}

// fields takes a header's fields until the first fault.
type fields struct {
	r   *bufio.Reader
	err error
}

func (p *fields) fail(err error) error {
	if p.err != nil {
		return p.err
	}
	return err
}

func (p *fields) old() oldID {
	use := p.byte()
	if use != 1 && use != 2 {
		p.err = p.fail(malformed("old of kind %d", use))
	}
	o := oldID{tokens: use == 2, size: p.uvarint(maxSize)}
	copy(o.digest[:], p.bytes(sha256.Size))
	return o
}

func (p *fields) bytes(n int) []byte {
	b := make([]byte, n)
	if p.err == nil {
		if _, err := io.ReadFull(p.r, b); err != nil {
			p.err = readError(err)
		}
	}
	return b
}

func (p *fields) byte() byte { return p.bytes(1)[0] }

// uvarint takes a number of at most limit.
func (p *fields) uvarint(limit uint64) int64 {
	if p.err != nil {
		return 0
	}
	v, err := readUvarint(p.r, limit)
	p.err = err
	return v
}

// readUvarint reads a number of at most limit, in its shortest form.
func readUvarint(r io.ByteReader, limit uint64) (int64, error) {
	var v uint64
	for shift := uint(0); shift < 63; shift += 7 {
		c, err := r.ReadByte()
		if err != nil {
			return 0, readError(err)
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > limit || c == 0 && shift > 0 {
				return 0, malformed("number %d out of bounds", v)
			}
			return int64(v), nil
		}
	}
	return 0, malformed("number out of bounds")
}
