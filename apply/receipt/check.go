package receipt

import (
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
)

// Bounds of what a statement may hold.
const (
	maxLabels = 64
	maxWord   = 64
	maxText   = 4 << 10
	maxNumber = 1 << 53 // what every reader of JSON can hold
)

// check holds a statement to what it may say: it may come from anybody, and its words end up in names of files and in reports.
func (s *Statement) check(subject attest.Resource) error {
	if err := s.Site().check(); err != nil {
		return err
	}
	switch {
	case s.Receipt != nil:
		return s.Receipt.check(subject)
	case s.Presence != nil:
		return errors.Join(s.Presence.Last.check(), s.Presence.Standing.check(), checkMerged(s.Presence.Merged))
	}
	return nil
}

func (s Site) check() error {
	if bundle.ValidName(s.Name) != nil {
		return fmt.Errorf("%.64q is not the name of a site", s.Name)
	}
	if len(s.Labels) > maxLabels {
		return fmt.Errorf("it has more than %d labels", maxLabels)
	}
	return nil
}

func (r *Receipt) check(subject attest.Resource) error {
	if err := r.Release.check(); err != nil {
		return err
	}
	switch {
	case subject.Digest[string(digest.SHA256)] != r.Release.Digest.Encoded():
		return errors.New("it is about another release than it says")
	case r.Number == 0 || r.Number > maxNumber || r.Transaction == 0 || r.Transaction > maxNumber || r.Attempt < 1 || r.Attempt > maxNumber:
		return errors.New("its numbers are not those of a receipt")
	case (r.Number == 1) != (r.Previous == nil) || r.Previous != nil && r.Previous.Number != r.Number-1:
		return errors.New("it does not name the receipt before")
	case len(r.Result) == 0 || len(r.Result) > maxWord || len(r.Verb) > maxWord || len(r.Reason) > maxText:
		return errors.New("its result is not one")
	case r.Bytes.Read < 0 || r.Bytes.Restored < 0 || r.Bytes.Reused < 0 || r.Bytes.Written < 0:
		return errors.New("it moved less than nothing")
	}
	return errors.Join(r.Previous.check(), r.Standing.check(), checkMerged(r.Merged))
}

func (r *Release) check() error {
	if r == nil {
		return nil
	}
	if bundle.ValidName(r.Name) != nil || bundle.ValidVersion(r.Version) != nil || r.Sequence > maxNumber {
		return fmt.Errorf("%.64q %.64q is not a release", r.Name, r.Version)
	}
	return checkDigest(r.Digest)
}

func (l *Link) check() error {
	if l == nil {
		return nil
	}
	return checkDigest(l.Digest)
}

func (s Standing) check() error {
	if len(s.Held) > maxText || len(s.Person) > maxText || len(s.Mirror) > maxText || len(s.Phase) > maxWord {
		return errors.New("what it says of the site is too long")
	}
	return errors.Join(s.Runs.check(), s.Staged.check())
}

func checkMerged(all []Merged) error {
	if len(all) > maxWord {
		return errors.New("it counts too many results")
	}
	for _, m := range all {
		if len(m.Result) == 0 || len(m.Result) > maxWord || m.Count > maxNumber || m.Last > maxNumber || m.First > m.Last {
			return errors.New("its counts are not sound")
		}
	}
	return nil
}

func checkDigest(d digest.Digest) error {
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return fmt.Errorf("%.80q is not a sha256 digest", d)
	}
	return nil
}
