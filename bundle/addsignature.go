package bundle

import (
	"context"
	"errors"
	"io"
)

// AddSignature copies a bundle from r to w with one more signature at the end of its list. It reads r once and compares
// every byte on the way; what it wrote before an error is not a bundle.
func AddSignature(ctx context.Context, r io.Reader, w io.Writer, sig Signature) error {
	b, err := NewReader(r)
	if err != nil {
		return err
	}
	return b.Resign(ctx, w, append(b.signatures[:len(b.signatures):len(b.signatures)], sig))
}

// Resign writes the bundle with other signatures. It must be called before Next, and reads the bundle to its end.
func (r *Reader) Resign(ctx context.Context, w io.Writer, sigs []Signature) error {
	if r.next > 0 || r.err != nil {
		return formatf("a bundle can be signed only before its blobs are read")
	}
	t := &tarWriter{w: w}
	if err := t.front(r.descriptor, r.config, r.manifest, sigs); err != nil {
		return err
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t.end()
		}
		if err != nil {
			return err
		}
		part := Part{Desc: e.Desc, Open: func() (io.ReadCloser, error) { return io.NopCloser(e), nil }}
		if err := t.part(ctx, part); err != nil {
			return err
		}
	}
}
