package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/receipt"
	"github.com/sallyport-dev/sallyport/verify"
)

const (
	// lookTime bounds how long mirror and target are asked for what a receipt says of them.
	lookTime = 3 * time.Second
	// lockTime bounds how long a receipt waits for another process that writes some.
	lockTime = 5 * time.Second
	// newest is how many attempts from before there were receipts get one each; older ones are counted.
	newest = 64
	// maxTold bounds checks, and the words of one, in a receipt.
	maxTold     = 64
	maxToldText = 500
)

func (s *Site) receiptsPath() string { return s.path("receipts") }
func (s *Site) keyPath() string      { return s.path("site.key") }

// Receipts is the site's receipts, made from its history as far as that goes; the caller has their lock until Close.
type Receipts struct {
	site     *Site
	spool    *receipt.Spool
	lock     *lock
	standing receipt.Standing
	looked   bool
}

// HasReceipts tells whether there is anything to make a receipt of, or one that was made: a site without either gets no state by
// looking for it.
func (s *Site) HasReceipts() bool {
	for _, path := range []string{s.historyPath(), s.receiptsPath()} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// OpenReceipts makes a receipt of each attempt that has none yet, and the site's key if there is none. What it returns is to be
// closed. It takes no lock of the site's, and changes nothing that a verb relies on.
func (s *Site) OpenReceipts(ctx context.Context) (rs *Receipts, err error) {
	if err := s.unmounted(); err != nil {
		return nil, err
	}
	dir := s.receiptsPath()
	if err := s.deps.Disk.MkdirAll(dir, 0o700); err != nil {
		return nil, stateError(err)
	}
	if err := own("spec.state", dir); err != nil {
		return nil, err
	}
	l, err := waitForLock(ctx, dir)
	if err != nil {
		return nil, err
	}
	rs = &Receipts{site: s, lock: l}
	if err := rs.open(ctx); err != nil {
		return nil, errors.Join(err, rs.Close())
	}
	return rs, nil
}

// waitForLock is takeLock with patience: whoever has the lock of the receipts has it for moments only.
func waitForLock(ctx context.Context, dir string) (*lock, error) {
	for until := time.Now().Add(lockTime); ; {
		l, err := takeLock(dir, "receipts")
		var held *Error
		if !errors.As(err, &held) || held.Word != "locked" || time.Now().After(until) || ctx.Err() != nil {
			return l, err
		}
	}
}

// Close gives the lock back.
func (rs *Receipts) Close() error { return rs.lock.release() }

func (rs *Receipts) open(ctx context.Context) error {
	s := rs.site
	key, err := s.key()
	if err != nil {
		return err
	}
	if rs.spool, err = receipt.OpenSpool(s.receiptsPath(), s.deps.Disk, key); err != nil {
		return stateError(err)
	}
	if err := errors.Join(rs.spool.Sweep(), rs.spool.Enrol(s.who(), s.deps.Now().UTC())); err != nil {
		return stateError(err)
	}
	return rs.tell(ctx)
}

// key is the site's key, which is made if there is none. One that a power cut has left unreadable stays aside.
func (s *Site) key() (*receipt.Key, error) {
	k, err := receipt.MakeKey(s.deps.Disk, s.keyPath())
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, stateError(err)
	}
	return k, privately(s.keyPath(), err)
}

// who is the site as its statements name it.
func (s *Site) who() receipt.Site {
	labels := map[string]string{}
	var names []string
	for name := range s.cfg.Metadata.Labels {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range upTo(maxTold, names) {
		labels[name] = s.cfg.Metadata.Labels[name]
	}
	return receipt.Site{Name: s.cfg.Metadata.Name, Labels: labels}
}

// tell makes the receipts that are missing.
func (rs *Receipts) tell(ctx context.Context) error {
	attempts, _, err := readHistory(rs.site.historyPath())
	if err != nil {
		return stateError(err)
	}
	missing, number := unreceipted(attempts, rs.spool.Last())
	if over := len(missing) - newest; over > 0 {
		for _, a := range missing[:over] {
			rs.spool.Count(a.Result, a.Ended)
		}
		missing, number = missing[over:], number[over:]
	}
	for i, a := range missing {
		r := rs.site.receiptOf(a)
		r.Attempt, r.Standing, r.Made = number[i], rs.look(ctx), rs.site.deps.Now().UTC()
		if err := rs.spool.Add(r); err != nil {
			return stateError(err)
		}
	}
	return nil
}

// unreceipted are the attempts after the last one that a receipt tells of, and for each how manieth it is of its transaction.
func unreceipted(attempts []Attempt, last *receipt.Made) (list []Attempt, number []int) {
	from := 0
	if last != nil {
		from = slices.IndexFunc(attempts, func(a Attempt) bool { return a.Transaction > last.Transaction })
		if from < 0 {
			from = len(attempts)
		}
		for i, a := range attempts {
			if a.Transaction == last.Transaction && a.Result == last.Result && a.Ended.Equal(last.Ended) {
				from = i + 1
			}
		}
	}
	nth, transaction := 0, uint64(0)
	if last != nil {
		nth, transaction = last.Attempt, last.Transaction
	}
	for _, a := range attempts[from:] {
		if a.Transaction != transaction {
			nth, transaction = 0, a.Transaction
		}
		nth++
		list, number = append(list, a), append(number, nth)
	}
	return list, number
}

// receiptOf is what an attempt tells.
func (s *Site) receiptOf(a Attempt) *receipt.Receipt {
	r := &receipt.Receipt{Site: s.who(), Transaction: a.Transaction, Verb: a.Verb, Result: a.Result, Reason: oneLine(a.Reason),
		Release: toldRelease(a.Release), Began: a.Began, Ended: a.Ended, Phases: []receipt.Phase{},
		Checks: toldChecks(a.Checks), Clock: receipt.Clock{Why: "an older sallyport has not noted it"}}
	e := a.Evidence
	if e == nil {
		return r
	}
	for _, m := range e.Phases {
		r.Phases = append(r.Phases, receipt.Phase{Phase: string(m.Phase), At: m.At, Boot: m.Boot})
	}
	r.Clock = receipt.Clock{Trusted: e.ClockTrusted, Why: e.Clock}
	r.Bytes = receipt.Bytes{Read: e.Bytes.Read, Restored: e.Bytes.Pushed, Reused: e.Bytes.Reused, Written: e.Bytes.Written}
	if e.Verified != nil {
		r.Verification = s.summary(a, e.Verified)
	}
	return r
}

// summary is what verification found, in the form of SLSA.
func (s *Site) summary(a Attempt, found *verify.Report) *receipt.Summary {
	return &receipt.Summary{Verifier: receipt.Verifier{ID: "https://sallyport.dev/verify/v1"}, TimeVerified: a.Began,
		ResourceURI: "sallyport:" + a.Name + "@" + a.Version, Policy: receipt.Policy{URI: "file://" + filepath.ToSlash(s.cfg.Spec.Trust)},
		Result: "PASSED", Levels: []string{}, Signers: upTo(maxTold, found.Signers), Checks: upTo(maxTold, found.Checks)}
}

func toldRelease(r Release) receipt.Release {
	return receipt.Release{Name: r.Name, Version: r.Version, Sequence: r.Sequence, Digest: r.Digest, Identity: r.Identity}
}

// toldChecks are the checks of an attempt: those that failed first where there are too many.
func toldChecks(all []check.Result) []check.Result {
	told := slices.Clone(all)
	if len(told) > maxTold {
		slices.SortStableFunc(told, func(a, b check.Result) int { return rank(a) - rank(b) })
		told = told[:maxTold]
	}
	for i := range told {
		if len(told[i].Message) > maxToldText {
			told[i].Message = told[i].Message[:maxToldText] + "…"
		}
	}
	return append([]check.Result{}, told...)
}

func rank(c check.Result) int {
	if c.Verdict == check.Pass {
		return 1
	}
	return 0
}

// look is how the site is now. It is asked once.
func (rs *Receipts) look(ctx context.Context) receipt.Standing {
	if rs.looked {
		return rs.standing
	}
	rs.looked = true
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	st, err := rs.site.Look(ctx)
	if err != nil {
		rs.standing = receipt.Standing{Person: oneLine(err.Error())}
		return rs.standing
	}
	rs.standing = standingOf(st)
	return rs.standing
}

// standingOf is what a status tells of the site.
func standingOf(st *Status) receipt.Standing {
	told := receipt.Standing{Phase: string(st.Phase), Person: oneLine(st.Person), NextWindow: st.NextWindow}
	switch {
	case st.Freeze != nil:
		told.Held = oneLine("frozen " + st.Freeze.String())
	case st.Held:
		told.Held = fmt.Sprintf("%s holds for a person: sallyport approve", st.Staged)
	}
	if st.Health != nil {
		told.Mirror = oneLine(st.Health.Mirror)
	}
	if st.Current != nil {
		runs := toldRelease(*st.Current)
		told.Runs = &runs
	}
	if st.Staged != nil && st.Phase == Written {
		staged := toldRelease(*st.Staged)
		told.Staged = &staged
	}
	if st.Drift != nil {
		n := len(st.Drift)
		told.Drift = &n
	}
	return told
}

// presence is what the site says of itself now.
func (rs *Receipts) presence(ctx context.Context) receipt.Presence {
	s := rs.site
	now := s.deps.Now().UTC()
	p := receipt.Presence{Site: s.who(), Standing: rs.look(ctx), Merged: rs.spool.Merged(), Made: now}
	p.Clock.Trusted, p.Clock.Why = s.clock(now)
	p.Last = rs.spool.Head()
	if s.deps.BootID != nil {
		p.Boot, _ = s.deps.BootID() // it may be left out
	}
	return p
}

// Carry writes the receipts that have not got away yet into the folder of that name in dir, the top of a medium, and reads them
// back. It returns their paths. A medium that is mounted for reading only is mounted for writing for as long as that takes, where
// this process may do so.
func (rs *Receipts) Carry(ctx context.Context, dir string) ([]string, error) {
	now := rs.presence(ctx)
	var put []receipt.Put
	err := rs.site.writable(dir, func() (err error) {
		put, err = rs.spool.Carry(ctx, filepath.Join(dir, receipt.Folder), now)
		return err
	})
	return paths(receipt.Folder, put), err
}

// Export writes everything that the spool holds into dir, and returns the paths of the receipts.
func (rs *Receipts) Export(ctx context.Context, dir string) ([]string, error) {
	put, err := rs.spool.Export(ctx, dir, rs.presence(ctx))
	return paths(dir, put), err
}

func paths(dir string, put []receipt.Put) (all []string) {
	for _, p := range put {
		if p.Receipt {
			all = append(all, filepath.Join(dir, p.File))
		}
	}
	return all
}

// upTo is the front of a list.
func upTo[T any](most int, list []T) []T { return list[:min(len(list), most)] }
