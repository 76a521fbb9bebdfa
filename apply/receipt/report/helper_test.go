package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/receipt"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// machine is a site that tells of itself.
type machine struct {
	t     testing.TB
	dir   string
	site  receipt.Site
	key   *receipt.Key
	spool *receipt.Spool
	now   time.Time
}

func newMachine(t testing.TB, name string) *machine { return machineOf(t, name, noon) }

// machineOf is a machine that was set up at a time.
func machineOf(t testing.TB, name string, at time.Time) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), site: receipt.Site{Name: name, Labels: map[string]string{"region": "emea", "ring": "canary"}}, now: at}
	k, err := receipt.MakeKey(durable.Disk{}, filepath.Join(m.dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	m.key = k
	m.open()
	return m
}

func (m *machine) open() {
	m.t.Helper()
	dir := filepath.Join(m.dir, "receipts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	s, err := receipt.OpenSpool(dir, durable.Disk{}, m.key)
	if err == nil {
		err = s.Enrol(m.site, m.now)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.spool = s
}

// clone is a machine with a copy of the disk.
func (m *machine) clone() *machine {
	m.t.Helper()
	c := *m
	c.dir = filepath.Join(m.t.TempDir(), "clone")
	if err := os.CopyFS(c.dir, os.DirFS(m.dir)); err != nil {
		m.t.Fatal(err)
	}
	c.open()
	return &c
}

// tells adds a receipt.
func (m *machine) tells(transaction uint64, result string, edit ...func(*receipt.Receipt)) {
	m.t.Helper()
	m.now = m.now.Add(time.Minute)
	r := &receipt.Receipt{Site: m.site, Transaction: transaction, Attempt: 1, Verb: "apply", Result: result, Release: release(transaction),
		Began: m.now.Add(-time.Minute), Ended: m.now, Made: m.now, Bytes: receipt.Bytes{Read: 1000}}
	if result == "committed" {
		runs := r.Release
		r.Standing.Runs = &runs
	}
	for _, e := range edit {
		e(r)
	}
	if err := m.spool.Add(r); err != nil {
		m.t.Fatal(err)
	}
}

func release(n uint64) receipt.Release {
	return receipt.Release{Name: "shop", Version: fmt.Sprintf("%d.0.0", n), Sequence: n, Digest: digest.FromString(fmt.Sprint("shop", n))}
}

// exports writes all that the machine holds into dir, and how it is.
func (m *machine) exports(dir string, s receipt.Standing) {
	m.t.Helper()
	p := receipt.Presence{Site: m.site, Standing: s, Made: m.now, Last: m.spool.Head()}
	if _, err := m.spool.Export(context.Background(), dir, p); err != nil {
		m.t.Fatal(err)
	}
}

func read(t testing.TB, dir string, o Options) *Fleet {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = noon.Add(time.Hour)
	}
	if o.OfflineAfter == 0 {
		o.OfflineAfter = 24 * time.Hour
	}
	f, err := Read(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sites tells of each site its state and what it runs; apartFrom the reasons, sites and files of what stands apart.
func (f *Fleet) sites() string {
	var all []string
	for _, s := range f.Sites {
		runs := "nothing"
		if s.Runs != nil {
			runs = s.Runs.Version
		}
		all = append(all, fmt.Sprintf("%s %s %s", s.Name, runs, s.State))
	}
	return strings.Join(all, "; ")
}

func (f *Fleet) apart() string {
	var all []string
	for _, a := range f.Apart {
		all = append(all, fmt.Sprintf("%s %s %s", a.Reason, a.Site, filepath.Base(a.File)))
	}
	return strings.Join(all, "; ")
}
