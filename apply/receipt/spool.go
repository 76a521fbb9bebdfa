package receipt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Bounds of a spool. What goes beyond is merged into counts, the oldest first.
const (
	MaxReceipts = 256
	MaxBytes    = 4 << 20
)

const (
	indexName = "index.json"
	maxIndex  = 4 << 20
)

// Spool is the folder of a site's receipts. One process at a time may change it: whoever has its lock.
type Spool struct {
	dir   string
	disk  durable.Disk
	key   *Key
	index index
}

// index is what is known of the files beside it.
type index struct {
	Version int `json:"version"`
	// Key is the id of the key that signs the chain.
	Key string `json:"key"`
	// Last is the newest receipt that was made; nil before the first.
	Last     *Made    `json:"last"`
	Receipts []Entry  `json:"receipts"` // oldest first
	Merged   []Merged `json:"merged"`
	// Enrolment is the enrolment of the key.
	Enrolment *Entry `json:"enrolment"`
	// Pauses are the targets that have failed, by URL.
	Pauses map[string]pause `json:"pauses,omitempty"`
}

// Made is how far the history is told, and the receipt that was made last under this key: number 0 if none was.
type Made struct {
	Link
	Transaction uint64    `json:"transaction"`
	Attempt     int       `json:"attempt"`
	Result      string    `json:"result"`
	Ended       time.Time `json:"ended"`
}

// Entry is a statement in the spool.
type Entry struct {
	File        string        `json:"file"`
	Number      uint64        `json:"number"`
	Transaction uint64        `json:"transaction"`
	Result      string        `json:"result"`
	Ended       time.Time     `json:"ended"`
	Digest      digest.Digest `json:"digest"`
	Size        int64         `json:"size"`
	// Carried tells that it was written to a medium and read back.
	Carried bool `json:"carried"`
	// Sent tells what became of it at each target, by URL.
	Sent map[string]delivery `json:"sent,omitempty"`
}

// OpenSpool reads the spool of the key in the folder dir, which must be there. An index that is lost is made again from the
// receipts.
func OpenSpool(dir string, disk durable.Disk, key *Key) (*Spool, error) {
	s := &Spool{dir: dir, disk: disk, key: key}
	b, err := readFile(filepath.Join(dir, indexName), maxIndex)
	if err == nil && json.Unmarshal(b, &s.index) == nil && s.index.Version == 1 {
		s.keep()
		return s, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotFile) {
		return nil, err
	}
	s.index = index{Version: 1, Key: key.ID}
	return s, s.rebuild()
}

// keep begins another chain where the key is not that of the index: what was told stays told.
func (s *Spool) keep() {
	if last := s.index.Last; s.index.Key != s.key.ID && last != nil {
		begun := *last
		begun.Link = Link{}
		s.index.Last = &begun
	}
}

// Head names the newest receipt of the chain; nil if it has none.
func (s *Spool) Head() *Link {
	if last := s.index.Last; last != nil && last.Number > 0 {
		return &last.Link
	}
	return nil
}

// rebuild makes the index from the receipts that there are.
func (s *Spool) rebuild() error {
	names, err := s.files()
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := readFile(filepath.Join(s.dir, name), MaxSize)
		if err != nil {
			continue
		}
		st, err := Open(b)
		if err != nil || st.By(s.key.Key) != nil || st.Receipt == nil {
			continue
		}
		r := st.Receipt
		s.index.Receipts = append(s.index.Receipts, Entry{File: name, Number: r.Number, Transaction: r.Transaction, Result: r.Result,
			Ended: r.Ended, Digest: st.Digest, Size: int64(len(b))})
		if last := s.index.Last; last == nil || last.Number < r.Number {
			s.index.Last = &Made{Link{r.Number, st.Digest}, r.Transaction, r.Attempt, r.Result, r.Ended}
			s.index.Merged = r.Merged
		}
	}
	slices.SortFunc(s.index.Receipts, func(a, b Entry) int { return int(int64(a.Number) - int64(b.Number)) })
	return nil
}

// files lists the statements in the folder.
func (s *Spool) files() (names []string, err error) {
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".json") && e.Name() != indexName && e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Last is how far the history is told; nil if nothing of it is.
func (s *Spool) Last() *Made { return s.index.Last }

// Merged are the counts of receipts that the site holds no more.
func (s *Spool) Merged() []Merged { return slices.Clone(s.index.Merged) }

// Count counts an attempt for which no receipt is made: one of many, from before there were receipts.
func (s *Spool) Count(result string, ended time.Time) {
	s.index.Merged = merge(s.index.Merged, Merged{Result: result, Count: 1, From: ended, To: ended})
}

// Enrol makes the statement that enrols the key, unless the spool has it.
func (s *Spool) Enrol(site Site, now time.Time) error {
	old := s.index.Key
	if e := s.index.Enrolment; e != nil && e.File == keyName(site.Name) && old == s.key.ID {
		return nil
	}
	enrolment := Enrolment{Site: site, Made: now}
	if old != s.key.ID {
		enrolment.Replaces = old
	}
	sealed, err := s.key.SealEnrolment(enrolment)
	if err != nil {
		return err
	}
	e := Entry{File: keyName(site.Name), Digest: sealed.Digest, Size: int64(len(sealed.Bytes)), Ended: now}
	if err := s.disk.WriteFile(filepath.Join(s.dir, e.File), sealed.Bytes, 0o600); err != nil {
		return err
	}
	return s.change(func(x *index) { x.Key, x.Enrolment = s.key.ID, &e })
}

// Add seals a receipt as the next one of the chain, and keeps it. Number, Previous and Merged of r are set here. Until Add has
// returned nil nobody has got to see the receipt, and the same attempt may be told again.
func (s *Spool) Add(r *Receipt) error {
	next := s.index
	next.Receipts, next.Merged = slices.Clone(s.index.Receipts), slices.Clone(s.index.Merged)
	r.Number, r.Previous = 1, s.Head()
	if r.Previous != nil {
		r.Number = r.Previous.Number + 1
	}
	gone := next.trim(MaxReceipts-1, MaxBytes)
	r.Merged = next.Merged
	sealed, err := s.key.Seal(r)
	if err != nil {
		return err
	}
	e := Entry{File: nameOf(r.Site.Name, r.Transaction, r.Attempt), Number: r.Number, Transaction: r.Transaction, Result: r.Result,
		Ended: r.Ended, Digest: sealed.Digest, Size: int64(len(sealed.Bytes))}
	if err := s.disk.WriteFile(filepath.Join(s.dir, e.File), sealed.Bytes, 0o600); err != nil {
		return err
	}
	next.Receipts = append(next.Receipts, e)
	next.Last = &Made{Link{e.Number, e.Digest}, r.Transaction, r.Attempt, r.Result, r.Ended}
	if err := s.save(next); err != nil {
		return err
	}
	for _, old := range gone {
		if err := s.disk.Remove(filepath.Join(s.dir, old.File)); err != nil {
			return err
		}
	}
	return nil
}

// trim merges the oldest receipts until no more are left than most, of no more than size bytes. Those that have got away count
// as older than those that have not.
func (x *index) trim(most int, size int64) (gone []Entry) {
	var total int64
	for _, e := range x.Receipts {
		total += e.Size
	}
	for len(x.Receipts) > most || total > size && len(x.Receipts) > 0 {
		i := max(0, slices.IndexFunc(x.Receipts, Entry.away))
		e := x.Receipts[i]
		gone, total = append(gone, e), total-e.Size
		x.Receipts = slices.Delete(x.Receipts, i, i+1)
		x.Merged = merge(x.Merged, Merged{Result: e.Result, Count: 1, First: e.Number, Last: e.Number, From: e.Ended, To: e.Ended})
	}
	return gone
}

// away tells whether somebody else has the statement.
func (e Entry) away() bool {
	for _, d := range e.Sent {
		if d.State == sent {
			return true
		}
	}
	return e.Carried
}

// merge adds to the count of a result.
func merge(all []Merged, m Merged) []Merged {
	i := slices.IndexFunc(all, func(o Merged) bool { return o.Result == m.Result })
	if i < 0 {
		return append(all, m)
	}
	o := &all[i]
	o.Count += m.Count
	if m.First != 0 && (o.First == 0 || m.First < o.First) {
		o.First = m.First
	}
	o.Last = max(o.Last, m.Last)
	if m.From.Before(o.From) {
		o.From = m.From
	}
	if m.To.After(o.To) {
		o.To = m.To
	}
	return all
}

// Sweep removes what a power cut has left in the folder: temporary files, and statements that the index does not name.
func (s *Spool) Sweep() error {
	known := map[string]bool{}
	for _, e := range s.entries() {
		known[e.File] = true
	}
	names, err := s.files()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !known[name] {
			if err := s.disk.Remove(filepath.Join(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return s.disk.Sweep(s.dir)
}

// entries are the enrolment and the receipts, in this order.
func (s *Spool) entries() (all []Entry) {
	if s.index.Enrolment != nil {
		all = append(all, *s.index.Enrolment)
	}
	return append(all, s.index.Receipts...)
}

// read returns a statement of the spool, as it was made.
func (s *Spool) read(e Entry) ([]byte, error) {
	b, err := readFile(filepath.Join(s.dir, e.File), MaxSize)
	if err != nil {
		return nil, err
	}
	st, err := Open(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.File, err)
	}
	if st.Digest != e.Digest {
		return nil, fmt.Errorf("%s is not what was written there", e.File)
	}
	return b, nil
}

// change saves what edit makes of the index.
func (s *Spool) change(edit func(*index)) error {
	next := s.index
	edit(&next)
	return s.save(next)
}

func (s *Spool) save(next index) error {
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := s.disk.WriteFile(filepath.Join(s.dir, indexName), append(b, '\n'), 0o600); err != nil {
		return err
	}
	s.index = next
	return nil
}

var errNotFile = errors.New("it is not a regular file of that size")

// ReadFile reads a file that may be a statement: a regular one, and no link.
func ReadFile(path string) ([]byte, error) { return readFile(path, MaxSize) }

// readFile reads a regular file of no more than most bytes, and follows no link.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, errNotFile
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, errNotFile
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = errNotFile
	}
	return b, err
}
