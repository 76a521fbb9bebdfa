package delta

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
)

// member is a stretch of a blob: a tar entry, or anything that is not one. Members cover a blob
// without gaps, so that whatever dialect or garbage it holds is restored byte for byte.
type member struct {
	name    string // "" for what is not an entry
	start   int64  // of the headers: all of them, extended ones too
	content int64  // where the content begins
	end     int64  // where the content ends; padding follows up to next
	next    int64
}

func (m member) size() int64 { return m.end - m.content }

const maxPax = 1 << 20 // bytes of extended headers and long names that are looked at

// tarMembers walks over a blob's plain bytes. Zero blocks end a tar, but another may follow. What is
// behind the last well-formed entry, which is all of a blob that is not a tar, is one member without a
// name and with no headers.
func tarMembers(ctx context.Context, r io.ReaderAt, size int64) ([]member, error) {
	w := &tarWalker{r: r, size: size}
	var list []member
	at := int64(0)
	for at < size {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, ok, err := w.entry(at)
		if err != nil {
			return nil, err
		}
		if !ok {
			m = member{start: at, content: at}
			if m.next, err = w.zeros(at); err != nil {
				return nil, err
			}
			if m.end = m.next; m.next == at {
				break
			}
		}
		list = append(list, m)
		at = m.next
	}
	if at < size {
		list = append(list, member{start: at, content: at, end: size, next: size})
	}
	return list, nil
}

type tarWalker struct {
	r     io.ReaderAt
	size  int64
	block [tarBlock]byte
}

// header reads the header at an offset; it is not ok where there is none.
func (w *tarWalker) header(at int64) (ok bool, err error) {
	if at > w.size-tarBlock {
		return false, nil
	}
	if err := readAt(w.r, w.block[:], at); err != nil {
		return false, err
	}
	return isTarHeader(w.block[:]), nil
}

// zeros returns where the zero blocks end that begin at an offset.
func (w *tarWalker) zeros(at int64) (int64, error) {
	for ; at <= w.size-tarBlock; at += tarBlock {
		if err := readAt(w.r, w.block[:], at); err != nil || w.block != [tarBlock]byte{} {
			return at, err
		}
	}
	return at, nil
}

// entry reads the entry at an offset, extended headers included.
func (w *tarWalker) entry(at int64) (m member, ok bool, err error) {
	m = member{start: at}
	size, name := int64(-1), ""
	for {
		if ok, err = w.header(at); !ok || err != nil {
			return m, false, err
		}
		content, ok := tarContent(w.block[:])
		if !ok || content > w.size-at-tarBlock {
			return m, false, nil
		}
		kind := w.block[tarType]
		if !isExtension(kind) {
			break
		}
		body, err := w.extended(at+tarBlock, content)
		if err != nil {
			return m, false, err
		}
		switch kind {
		case 'L':
			name = string(bytes.TrimRight(body, "\x00"))
		case 'x':
			size, name = paxFields(body, size, name)
		}
		at += tarBlock + content
	}
	return w.finish(m, at, size, name)
}

// finish completes an entry whose own header stands at an offset.
func (w *tarWalker) finish(m member, at, size int64, name string) (member, bool, error) {
	h := w.block[:]
	content, _ := tarContent(h)
	if content > 0 || size > 0 {
		own, ok := parseTarNumber(h[tarSize : tarSize+tarSizeSize])
		if !ok {
			return m, false, nil
		}
		if size < 0 {
			size = own
		}
	} else {
		size = 0
	}
	if m.name = name; name == "" {
		m.name = headerName(h)
	}
	m.content = at + tarBlock
	if h[tarType] == 'S' && h[tarSparseMore] != 0 {
		var ok bool
		var err error
		if m.content, ok, err = w.sparseMap(m.content); !ok || err != nil {
			return m, false, err
		}
	}
	m.end = m.content + size
	m.next = m.content + padded(size)
	if m.next > w.size {
		m.next = w.size // some writers leave out the last padding
	}
	return m, m.end <= w.size, nil
}

// sparseMap skips the blocks with which GNU tar goes on with a sparse file's map.
func (w *tarWalker) sparseMap(at int64) (int64, bool, error) {
	for {
		if at > w.size-tarBlock {
			return at, false, nil
		}
		if err := readAt(w.r, w.block[:], at); err != nil {
			return at, false, err
		}
		at += tarBlock
		if w.block[tarSparseMoreNext] == 0 {
			return at, true, nil
		}
	}
}

func (w *tarWalker) extended(at, size int64) ([]byte, error) {
	body := make([]byte, min(size, maxPax))
	return body, readAt(w.r, body, at)
}

// paxFields finds the size and path records.
func paxFields(body []byte, size int64, name string) (int64, string) {
	for len(body) > 0 {
		length, rest, ok := bytes.Cut(body, []byte(" "))
		n, err := strconv.Atoi(string(length))
		if !ok || err != nil || n <= len(length)+1 || n > len(body) {
			break
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(string(rest[:n-len(length)-1]), "\n"), "=")
		switch key {
		case "path":
			name = value
		case "size":
			if v, err := strconv.ParseInt(value, 10, 64); err == nil && v >= 0 && v <= maxSize {
				size = v
			}
		}
		body = body[n:]
	}
	return size, name
}

func headerName(h []byte) string {
	name := cString(h[tarName : tarName+tarNameSize])
	if string(h[tarMagic:tarMagic+6]) == "ustar\x00" {
		if prefix := cString(h[tarPrefix : tarPrefix+tarPrefixSize]); prefix != "" {
			return prefix + "/" + name
		}
	}
	return name
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
