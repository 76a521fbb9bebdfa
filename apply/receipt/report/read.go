package report

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/apply/receipt"
	"github.com/sallyport-dev/sallyport/internal/pubkey"
)

// Options say how receipts are read.
type Options struct {
	// Trust is a file or folder of the enrolments that are believed. Empty: those that are found beside the receipts are.
	Trust string
	// OfflineAfter is the age of its last word from which a site counts as offline.
	OfflineAfter time.Duration
	// Now is when the report is made.
	Now time.Time
}

// maxApart bounds the list of what stands apart.
const maxApart = 10_000

// Read reads the receipts below the folder dir. It holds no more of each than a few hundred bytes.
func Read(ctx context.Context, dir string, o Options) (*Fleet, error) {
	c := newCollector(o)
	c.enrolling = true
	if o.Trust != "" {
		if err := c.enrolAll(ctx, o.Trust); err != nil {
			return nil, err
		}
		c.enrolling = false
	} else if err := c.each(ctx, dir, isKeyFile, c.file); err != nil {
		return nil, err
	}
	if err := c.each(ctx, dir, func(path string) bool { return o.Trust != "" || !isKeyFile(path) }, c.file); err != nil {
		return nil, err
	}
	late := c.late
	c.late, c.enrolling, c.final = nil, false, true
	for _, path := range late {
		c.file(path)
	}
	return c.fleet(), nil
}

// isKeyFile tells whether a file goes by the name of an enrolment. It is read before others; what it is, it says itself.
func isKeyFile(path string) bool { return strings.Contains(path, ".key.") }

// collector gathers what statements tell.
type collector struct {
	o Options
	// enrolling: an enrolment that is found is believed. final: a key that is not known by now never will be.
	enrolling, final bool

	mu     sync.Mutex
	keys   map[string]pubkey.Key
	late   []string // files of keys that are not known yet
	seen   map[digest.Digest]bool
	sites  map[string]*account
	chains map[string][]*entry        // by key
	owners map[string]map[string]bool // names of sites, by key
	apart  []Apart
	files  int
	more   int
}

func newCollector(o Options) *collector {
	return &collector{o: o, keys: map[string]pubkey.Key{}, seen: map[digest.Digest]bool{}, sites: map[string]*account{},
		chains: map[string][]*entry{}, owners: map[string]map[string]bool{}}
}

// each has work done for every file below dir that is wanted.
func (c *collector) each(ctx context.Context, dir string, wanted func(string) bool, work func(string)) error {
	g, ctx := errgroup.WithContext(ctx)
	files := make(chan string, batch)
	g.Go(func() error {
		defer close(files)
		return walk(ctx, dir, files)
	})
	for range max(2, runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			for path := range files {
				if wanted(path) {
					work(path)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// enrolAll believes the enrolments in a file or folder.
func (c *collector) enrolAll(ctx context.Context, path string) error {
	enrol := func(path string) {
		if st, err := open(path); err == nil && st.Enrolment != nil {
			c.enrol(st)
		}
	}
	if _, err := receipt.ReadFile(path); err == nil {
		enrol(path)
	} else if err := c.each(ctx, path, func(string) bool { return true }, enrol); err != nil {
		return err
	}
	if len(c.keys) == 0 {
		return &TrustError{path}
	}
	return nil
}

// TrustError is a file or folder that was named for trust and holds no enrolment.
type TrustError struct{ path string }

// Error names it.
func (e *TrustError) Error() string { return e.path + " holds no enrolment of a site's key" }

// Reason is "usage".
func (e *TrustError) Reason() string { return "usage" }

// Hint says what to put there.
func (e *TrustError) Hint() string {
	return "copy the SITE.key.json of the sites that you know into it, from where their receipts are"
}

func open(path string) (*receipt.Statement, error) {
	b, err := receipt.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return receipt.Open(b)
}

// enrol believes that a key is a site's.
func (c *collector) enrol(st *receipt.Statement) bool {
	key, err := st.OwnKey()
	if err != nil || key.ID != st.KeyID() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[key.ID] = key
	return true
}

// file takes in one file.
func (c *collector) file(path string) {
	st, err := open(path)
	if err != nil {
		c.set(path, Apart{Reason: ApartDamaged, Text: err.Error()})
		return
	}
	about := Apart{Site: st.Site().Name, Key: st.KeyID()}
	if st.Enrolment != nil && c.enrolling && !c.enrol(st) {
		about.Reason, about.Text = ApartSignature, "the key that it enrols has not signed it"
		c.set(path, about)
		return
	}
	c.mu.Lock()
	key, known := c.keys[st.KeyID()]
	if !known && !c.final {
		c.late = append(c.late, path)
	}
	c.mu.Unlock()
	switch {
	case !known && c.final:
		about.Reason, about.Text = ApartUnknown, "the key is not enrolled"
		c.set(path, about)
	case !known:
	case st.By(key) != nil:
		about.Reason, about.Text = ApartSignature, "the signature is wrong: it was changed, or is not by the key that it names"
		c.set(path, about)
	default:
		c.take(path, st)
	}
}

// set sets something apart.
func (c *collector) set(path string, a Apart) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files++
	a.File = path
	c.setApart(a)
}

// setApart is set for whoever has the lock.
func (c *collector) setApart(a Apart) {
	if len(c.apart) == maxApart {
		c.more++
		return
	}
	c.apart = append(c.apart, a)
}

// take takes in a statement that its key has signed. Copies of it, from several sticks, count once.
func (c *collector) take(path string, st *receipt.Statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files++
	if c.seen[st.Digest] {
		return
	}
	c.seen[st.Digest] = true
	name, key := st.Site().Name, st.KeyID()
	a := c.sites[name]
	if a == nil {
		a = &account{name: name, voices: map[string]*voice{}}
		c.sites[name] = a
	}
	if c.owners[key] == nil {
		c.owners[key] = map[string]bool{}
	}
	c.owners[key][name] = true
	switch {
	case st.Enrolment != nil:
		a.voice(key, st.Enrolment.Made)
	case st.Presence != nil:
		a.present(key, st.Presence)
	default:
		e := a.receipt(key, st)
		e.file = path
		c.chains[key] = append(c.chains[key], e)
	}
}
