package delta

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
)

// A listing names files and their MD5 digests in the form of md5sum, as Debian's packages have it in
// /var/lib/dpkg/info. Those of new files cannot be foretold, but the files stand in the same layer: a
// site takes the digests of entries that a patch names while it makes them, and puts them into the old
// listing before it makes the new one out of that.

// Limits of listings.
const (
	maxListing = 1 << 20 // bytes of an old one
	maxDigests = 1 << 16 // entries whose digests are kept
	maxEntries = 1 << 40 // entries that are passed over
)

// digests are those of contents, by their entries' names.
type digests map[[md5.Size]byte][md5.Size]byte

// listed returns the name that a path in a listing or of an entry is known by: packages may still call
// /usr/lib what has been /lib.
func listed(path string) [md5.Size]byte {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "."), "/")
	return md5.Sum([]byte(strings.TrimPrefix(path, "usr/")))
}

const (
	listedDigest = 2 * md5.Size
	listedPath   = listedDigest + 2 // where the path begins in a line
)

// eachListed gives the lines of a listing that name a file; lines of any other form are passed over.
func eachListed(b []byte, use func(digest, path []byte)) {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		if len(line) > listedPath && string(line[listedDigest:listedPath]) == "  " && isHex(line[:listedDigest]) {
			use(line[:listedDigest], line[listedPath:])
		}
	}
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// update puts the digests that are known into a listing.
func (d digests) update(listing []byte) {
	eachListed(listing, func(digest, path []byte) {
		if sum, ok := d[listed(string(path))]; ok {
			hex.Encode(digest, sum[:])
		}
	})
}

// digester passes a tar on and takes the digests of some entries' contents.
type digester struct {
	w       io.Writer
	entries []int64 // how many are passed over before each
	known   digests
	header  [tarBlock]byte
	have    int   // bytes of the header in hand
	left    int64 // bytes of content that come, padding included
	padding int64 // of them
	sum     hash.Hash
	name    [md5.Size]byte
	open    bool // the content in hand is to be known
}

// newDigester reads which entries' digests a patch wants; nil: none.
func newDigester(w io.Writer, from *stream) (*digester, error) {
	if from.left.N == 0 {
		return nil, nil
	}
	d := &digester{w: w, known: digests{}, sum: md5.New()}
	for {
		if _, err := from.Peek(1); errors.Is(err, io.EOF) {
			return d, nil
		}
		n, err := readUvarint(from, maxEntries)
		if err != nil {
			return nil, err
		}
		if len(d.entries) == maxDigests {
			return nil, malformed("digests of more than %d entries", maxDigests)
		}
		d.entries = append(d.entries, n)
	}
}

func (d *digester) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	p = p[:n]
	for len(p) > 0 && len(d.entries) > 0 {
		if d.left == 0 {
			k := copy(d.header[d.have:], p)
			p = p[k:]
			if d.have += k; d.have == tarBlock {
				d.have = 0
				d.entry()
			}
			continue
		}
		k := min(int64(len(p)), d.left)
		d.content(p[:k])
		p = p[k:]
	}
	return n, err
}

// Same passes on what the sink is told, which d.w has to be.
func (d *digester) Same(skip int64, t *Tokens, offset, n int64) error {
	return d.w.(sink).Same(skip, t, offset, n)
}

// entry begins the entry whose header is in hand.
func (d *digester) entry() {
	size, padded, ok := tarEntry(d.header[:])
	if !ok {
		return
	}
	d.left, d.padding = padded, padded-size
	if d.entries[0] > 0 {
		d.entries[0]--
		return
	}
	d.sum.Reset()
	d.name, d.open = listed(headerName(d.header[:])), true
	d.end()
}

// content takes bytes of the content in hand.
func (d *digester) content(p []byte) {
	n := int64(len(p))
	if d.open {
		d.sum.Write(p[:max(0, min(n, d.left-d.padding))])
	}
	d.left -= n
	d.end()
}

// end keeps the digest of a content that is whole. Of equal names the first counts.
func (d *digester) end() {
	if !d.open || d.left > d.padding {
		return
	}
	if _, ok := d.known[d.name]; !ok {
		d.known[d.name] = [md5.Size]byte(d.sum.Sum(nil))
	}
	d.open, d.entries = false, d.entries[1:]
}

// tarEntry returns how many bytes of content header h has, without and with padding.
func tarEntry(h []byte) (size, padded int64, ok bool) {
	if padded, ok = tarContent(h); !ok || padded == 0 {
		return 0, 0, ok
	}
	size, ok = parseTarNumber(h[tarSize : tarSize+tarSizeSize])
	return size, padded, ok
}

// listing makes n bytes by operations that may read an old listing with the digests known now.
func (r *restorer) listing(n int64) error {
	if err := r.based(); err != nil {
		return err
	}
	d := &programReader{ops: r.s.readers[streamOps]}
	size := d.number(maxListing)
	address := r.next + unzigzag(d.from(r.s.readers[streamSources], 2*maxSize))
	if d.err != nil {
		return d.err
	}
	if address < 0 || address > r.src.size-size || size/maxInflation > n {
		return malformed("listing of %d bytes at %d, of %d", size, address, r.src.size)
	}
	b := make([]byte, size)
	if err := r.src.read(b, address); err != nil {
		return err
	}
	r.next = address + int64(len(b))
	if err := r.to.drain(); err != nil { // the digester is behind it
		return err
	}
	r.digests.update(b)
	inner := r.within(r.w, r.src.with(Old{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}))
	inner.next, inner.inside, inner.buf, inner.packer = r.src.size, true, r.buf, nil
	return inner.run(n)
}

// listing writes a listing's operation, and those in it.
func (e *encoder) listing(p piece) error {
	n, size := p.nested, p.nested.olds[0].size
	e.op(opListing, p.length)
	e.streams[streamOps].Write(binary.AppendUvarint(nil, uint64(size)))
	old := e.oldOf(n.olds[0].address)
	address := e.used[old] + n.olds[0].address - e.all.starts[old]
	e.streams[streamSources].Write(appendZigzag(nil, address-e.next))
	e.next = address + size
	plain := io.NewSectionReader(e.plain, e.at, p.length)
	return e.inside(plain, Old{ReaderAt: bytes.NewReader(n.listing), Size: size}).pieces(n.pieces)
}

// entry is what a digester sees of a tar's entry.
type entry struct {
	at, size int64 // of the content
	name     [md5.Size]byte
}

// listEntries returns a tar's entries as a digester goes over them.
func listEntries(ctx context.Context, r io.ReaderAt, size int64) (list []entry, err error) {
	var h [tarBlock]byte
	for at := int64(0); at <= size-tarBlock; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := readAt(r, h[:], at); err != nil {
			return nil, err
		}
		at += tarBlock
		if n, padded, ok := tarEntry(h[:]); ok {
			list = append(list, entry{at, n, listed(headerName(h[:]))})
			at += padded
		}
	}
	return list, nil
}
