package receipt

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Put is a statement that was written somewhere.
type Put struct {
	File    string // its name in the folder
	Receipt bool   // and not an enrolment or a standing
}

// Carry writes the statements that nobody outside has yet into the folder dir, which it makes, with the enrolment and the standing,
// and reads them back. Other media's are left alone: several sites may share one.
func (s *Spool) Carry(ctx context.Context, dir string, now Presence) ([]Put, error) {
	fresh := func(e Entry) bool { return !e.away() }
	return s.write(ctx, dir, now, fresh)
}

// Export is Carry with everything that the spool holds.
func (s *Spool) Export(ctx context.Context, dir string, now Presence) ([]Put, error) {
	return s.write(ctx, dir, now, func(Entry) bool { return true })
}

func (s *Spool) write(ctx context.Context, dir string, now Presence, wanted func(Entry) bool) (all []Put, err error) {
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, e := range s.entries() {
		if e.Number != 0 && !wanted(e) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return all, err
		}
		b, err := s.read(e)
		if err != nil {
			continue // damaged on this site's disk: the chain tells that it is missing
		}
		name, err := s.put(dir, e.File, string(e.Digest), b)
		if err != nil {
			return all, err
		}
		all = append(all, Put{name, e.Number != 0})
	}
	sealed, err := s.key.SealPresence(now)
	if err != nil {
		return all, err
	}
	name, err := s.put(dir, presenceName(now.Site.Name), s.key.ID, sealed.Bytes)
	if err != nil {
		return all, err
	}
	return append(all, Put{name, false}), s.carried(wanted)
}

// carried notes that the receipts are on a medium.
func (s *Spool) carried(which func(Entry) bool) error {
	return s.change(func(x *index) {
		x.Receipts = append([]Entry(nil), x.Receipts...)
		for i, e := range x.Receipts {
			x.Receipts[i].Carried = e.Carried || which(e)
		}
	})
}

// put writes a file durably and reads it back from the medium. A file that has the name and is another statement, of another
// machine that goes by this site's name or of one with a copy of its key, stays; the new one gets a mark.
func (s *Spool) put(dir, name, mark string, b []byte) (string, error) {
	path := filepath.Join(dir, name)
	if have, err := readFile(path, MaxSize); err == nil {
		if bytes.Equal(have, b) {
			return name, nil
		}
		if s.another(have) {
			name = apart(name, mark)
			path = filepath.Join(dir, name)
		}
	}
	if err := durable.WriteFile(path, b, 0o644); err != nil {
		return "", err
	}
	forget(path)
	have, err := readFile(path, MaxSize)
	if err == nil && !bytes.Equal(have, b) {
		err = &fs.PathError{Op: "read back", Path: path, Err: errors.New("it is not what was written")}
	}
	return name, err
}

// another tells whether an envelope is a statement that is not to be replaced: anything whole but this site's own standing.
func (s *Spool) another(envelope []byte) bool {
	st, err := Open(envelope)
	return err == nil && (st.Receipt != nil || st.By(s.key.Key) != nil)
}
