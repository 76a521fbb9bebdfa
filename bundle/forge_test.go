package bundle_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// A forgery is a bundle taken apart into its entries, to be put together again with one fault. It writes tars with the
// standard library, which is a second opinion on the writer.
type forgery struct {
	t       testing.TB
	entries []entry
}

type entry struct {
	name string
	body []byte
}

func forge(t testing.TB, file []byte) *forgery {
	f := &forgery{t: t}
	tr := tar.NewReader(bytes.NewReader(file))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return f
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		f.entries = append(f.entries, entry{h.Name, body})
	}
}

func (f *forgery) bytes() []byte { return f.with(func(*tar.Header) {}) }

// with puts the entries together, each header changed first.
func (f *forgery) with(change func(h *tar.Header)) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range f.entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: 0o644, Size: int64(len(e.body)), Format: tar.FormatUSTAR}
		change(h)
		if err := w.WriteHeader(h); err != nil {
			f.t.Fatal(err)
		}
		if h.Size == 0 {
			continue
		}
		if _, err := w.Write(e.body); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
	return b.Bytes()
}

// edit replaces text in the i-th entry and in nothing else.
func (f *forgery) edit(i int, old, new string) *forgery {
	e := &f.entries[i]
	body := bytes.Replace(e.body, []byte(old), []byte(new), 1)
	if bytes.Equal(body, e.body) {
		f.t.Fatalf("%s does not stand in %s", old, e.name)
	}
	e.body = body
	return f
}

// editChain is edit for a blob; every document that names the blob is made to name the changed one, up to the index. So the
// fault is all that is wrong: a reader that only compares digests would be content.
func (f *forgery) editChain(i int, old, new string) *forgery {
	before := f.entries[i]
	f.edit(i, old, new)
	f.rename(i, before)
	return f
}

// rename gives the i-th entry the name of its bytes, here and in whatever names it.
func (f *forgery) rename(i int, before entry) {
	after := &f.entries[i]
	if !strings.HasPrefix(after.name, "blobs/") {
		return
	}
	was, is := digest.FromBytes(before.body), digest.FromBytes(after.body)
	after.name = "blobs/sha256/" + is.Encoded()
	for j := range f.entries {
		e := &f.entries[j]
		old := *e
		e.body = bytes.ReplaceAll(e.body, []byte(fmt.Sprintf(`"digest":"%s","size":%d`, was, len(before.body))),
			[]byte(fmt.Sprintf(`"digest":"%s","size":%d`, is, len(after.body))))
		e.body = bytes.ReplaceAll(e.body, []byte(was.String()), []byte(is.String()))
		if !bytes.Equal(e.body, old.body) {
			f.rename(j, old)
		}
	}
}

// offset is where the i-th entry's header stands.
func (f *forgery) offset(i int) int {
	n := 0
	for _, e := range f.entries[:i] {
		n += 512 + (len(e.body)+511)/512*512
	}
	return n
}

// flip changes one bit of a file.
func flip(file []byte, at int) []byte {
	b := bytes.Clone(file)
	b[at] ^= 0x10
	return b
}
