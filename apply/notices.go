package apply

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/inbox"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/notice"
	"github.com/sallyport-dev/sallyport/verify"
)

// takenNotice is a freeze notice that this site has taken. Of each name the one that was issued last is kept, also when it is over: what
// was issued before it counts no more, on whatever stick it still lies.
type takenNotice struct {
	Notice notice.Notice `json:"notice"`
	// Digest is that of the statement.
	Digest digest.Digest `json:"digest"`
	Signer verify.Signer `json:"signer"`
	Since  time.Time     `json:"since"`
}

type takenNotices struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Notices    []takenNotice `json:"notices"`
}

const (
	noticesKind = "FreezeNotices"
	// maxNotices bounds the names of which a notice is kept.
	maxNotices = 16
)

func (s *Site) noticesPath() string { return s.path("notices.json") }

// TakeNotices takes the freeze notices that lie in a folder, such as a stick. What is none for this site is left; what is wrong with one is told.
func (s *Site) TakeNotices(ctx context.Context, folder string) error {
	j, err := s.readJournal()
	if err != nil {
		return err
	}
	return inbox.Folder(folder).List(ctx, func(c inbox.Candidate) error {
		if !strings.HasSuffix(c.Name, notice.Suffix) {
			return nil
		}
		err := s.takeNotice(ctx, c, j)
		if err != nil && !errors.Is(err, errUseless) && !errors.Is(err, errNotYet) {
			s.say("note", "%s is left where it is: %s", c.Name, oneLine(err.Error()))
		}
		return ctx.Err()
	})
}

// takeNotice takes a freeze notice, if it is one for this site, and later than what the site has. errUseless is one that is not.
func (s *Site) takeNotice(ctx context.Context, c inbox.Candidate, j *journal) error {
	b, err := readNotice(ctx, c)
	if err != nil {
		return err
	}
	trust, err := s.deps.LoadTrust()
	if err != nil {
		return err
	}
	statement, signer, err := trust.Statement(b)
	if err != nil {
		return err
	}
	n, err := notice.Parse(statement)
	if err != nil {
		return errorf("notice", "get it again from where it was made, or a newer sallyport", "it is no freeze notice: %s", err)
	}
	if !n.Concerns(s.cfg.Metadata.Name) || !s.takesName(n.Name, j) {
		return errUseless
	}
	all, err := s.notices()
	if err != nil {
		all = nil // what is torn is written anew
	}
	if slices.ContainsFunc(all, func(t takenNotice) bool { return t.Notice.Name == n.Name && !n.Issued.After(t.Notice.Issued) }) {
		return errUseless
	}
	all = slices.DeleteFunc(all, func(t takenNotice) bool { return t.Notice.Name == n.Name })
	taken := takenNotice{*n, digest.FromBytes(statement), signer, s.deps.Now().UTC().Truncate(time.Second)}
	all = append(all, taken)
	if over := len(all) - maxNotices; over > 0 {
		all = slices.Delete(all, 0, over)
	}
	if err := s.saveSmall(s.noticesPath(), "freeze", takenNotices{bundle.APIVersion, noticesKind, all}); err != nil {
		return err
	}
	s.tellNotice(taken, c.Name, j)
	return nil
}

func (s *Site) tellNotice(t takenNotice, from string, j *journal) {
	switch {
	case t.Notice.Lifts:
		s.say("unfrozen", "what held %s is lifted by %s, which %s signed", t.Notice.Name, from, t.Signer)
	case !t.Notice.Over(s.deps.Now(), sequenceOf(t.Notice.Name, j)):
		s.say("frozen", "%s", s.freezeOf(t, j))
	}
}

// readNotice reads a candidate that may be a notice, as far as one may be long. One that does not end as JSON does is still being copied.
func readNotice(ctx context.Context, c inbox.Candidate) ([]byte, error) {
	f, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, notice.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > notice.MaxSize {
		return nil, errorf("notice", "get it again from where it was made", "it is larger than a freeze notice is")
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[len(b)-1] != '}' {
		return nil, errNotYet
	}
	return b, nil
}

// notices are those that the site has taken.
func (s *Site) notices() ([]takenNotice, error) {
	var f takenNotices
	err := loadSmall(s.noticesPath(), &f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case f.Kind != noticesKind:
		return nil, errors.New("it is no list of freeze notices")
	}
	for _, t := range f.Notices {
		if err := t.Notice.Check(); err != nil {
			return nil, err
		}
	}
	return f.Notices, nil
}

// unfreezable are the files that a person may remove: a freeze that was made here, and a list of notices that tells nothing any more.
func (s *Site) unfreezable() []string {
	paths := []string{s.freezePath()}
	if _, err := s.notices(); err != nil {
		paths = append(paths, s.noticesPath())
	}
	return paths
}

// sequenceOf is that of the release of a name that runs; 0: none does.
func sequenceOf(name string, j *journal) uint64 {
	if j.Current == nil || j.Current.Name != name {
		return 0
	}
	return j.Current.Sequence
}

// frozenByNotice returns the notice that keeps the site from a release (nil: from any) now, as a freeze; nil if none does. A list of them
// that a power cut has torn counts as one.
func (s *Site) frozenByNotice(d *bundle.Descriptor) *Freeze {
	t, j, err := s.holding(d)
	switch {
	case err != nil:
		return &Freeze{damaged: err}
	case t == nil:
		return nil
	}
	return s.freezeOf(*t, j)
}

// holding is the notice that keeps the site from a release (nil: from any) now; nil: none does.
func (s *Site) holding(d *bundle.Descriptor) (*takenNotice, *journal, error) {
	all, err := s.notices()
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	j, err := s.readJournal()
	if err != nil {
		j = newJournal() // the verb that relies on it says what is wrong with it
	}
	for i := range all {
		n := &all[i].Notice
		passes := d != nil && (n.Name != d.Name || n.Passes(d.Sequence))
		if !passes && s.takesName(n.Name, j) && n.Concerns(s.cfg.Metadata.Name) && !n.Over(s.deps.Now(), sequenceOf(n.Name, j)) {
			return &all[i], j, nil
		}
	}
	return nil, j, nil
}

func (s *Site) freezeOf(t takenNotice, j *journal) *Freeze {
	f := &Freeze{APIVersion: bundle.APIVersion, Kind: freezeKind, Reason: t.Notice.Reason, Since: t.Since, Until: t.Notice.Until,
		Signer: &t.Signer, LiftedBy: t.Notice.LiftedBy}
	if safe := t.Notice.Safe; safe != nil {
		f.Safe = safe.Version
		f.SafeMissing = !isSafe(j.Current, safe) && !isSafe(j.Previous, safe)
	}
	return f
}

func isSafe(r *Release, safe *notice.Safe) bool { return r != nil && r.Identity == safe.Identity }

// toSafe goes back to the release that the notice names which holds the site, in whatever window; a nil result is nothing to do. The
// notice is the signed word that this older release may run: nothing here goes back to one that the site does not hold.
func (u *unattended) toSafe(ctx context.Context) (*Result, error) {
	t, _, err := u.holding(nil)
	if err != nil || t == nil || t.Notice.Safe == nil || isSafe(u.journal.Current, t.Notice.Safe) || !isSafe(u.journal.Previous, t.Notice.Safe) {
		return nil, nil //nolint:nilerr // a list that tells nothing freezes, and that is all
	}
	key := "safe:" + t.Digest.String()
	if u.later(key, "") {
		return u.nothing(whyBackoff), nil
	}
	sub := u.sub(verbRollback)
	var res *Result
	if err = sub.toPrevious(ctx, RollbackOptions{}); err == nil {
		res, err = sub.goOn(ctx)
	}
	if err = u.rejoin(sub, err); err != nil {
		if ctx.Err() == nil {
			u.failedNow(key, "", false)
		}
		return res, err
	}
	u.wellNow(key)
	return res, nil
}
