// Package notice has the word by which a factory holds sites, or takes them back to an earlier release, without sending them one: an
// in-toto statement in a Sigstore bundle, in a file that travels beside bundles.
//
// Both halves are held to the one byte form that Statement gives, so that nobody can write a notice that two programs read in two ways.
package notice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
)

const (
	// PredicateType is the statement's.
	PredicateType = "https://sallyport.dev/freeze-notice/v1"
	// Suffix is how the name of a file ends that holds a notice.
	Suffix = ".freeze.json"
	// MaxSize bounds such a file, in bytes.
	MaxSize = 64 << 10
	// maxSites bounds the sites that are named, maxReason the reason, in bytes.
	maxSites  = 1024
	maxReason = 500
)

// Notice holds sites: none of them switches to another release until the notice ends. The notice of a name that was issued last is
// the only one that counts.
type Notice struct {
	// Name is the name of the releases that are held.
	Name string `json:"name"`
	// Sites are the names of the sites that are meant; empty: all.
	Sites []string `json:"sites,omitempty"`
	// Reason is for people, one line.
	Reason string `json:"reason,omitempty"`
	// Issued is when the notice was made, in whole seconds.
	Issued time.Time `json:"issued"`
	// Until is when it ends by itself, in whole seconds; nil: it does not.
	Until *time.Time `json:"until,omitempty"`
	// LiftedBy is the sequence from which on a release is not held, and ends the notice once it was committed; 0: none is.
	LiftedBy uint64 `json:"liftedBySequence,omitempty"`
	// Safe is the release that the sites are to run meanwhile, if they hold it; nil: the one that they run.
	Safe *Safe `json:"safe,omitempty"`
	// Lifts tells that the notice holds nothing, and ends those that were issued before it.
	Lifts bool `json:"lifts,omitempty"`
}

// Safe names a release.
type Safe struct {
	Version string `json:"version"`
	// Identity is the same in every bundle of the release.
	Identity digest.Digest `json:"identity"`
}

// Check says what is wrong with a notice; nil if nothing is.
func (n *Notice) Check() error {
	if err := bundle.ValidName(n.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if len(n.Sites) > maxSites {
		return fmt.Errorf("it names %d sites, more than %d: use labels of their own releases", len(n.Sites), maxSites)
	}
	for _, s := range n.Sites {
		if err := bundle.ValidName(s); err != nil {
			return fmt.Errorf("site: %w", err)
		}
	}
	if len(n.Reason) > maxReason || !utf8.ValidString(n.Reason) || slices.ContainsFunc([]rune(n.Reason), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("the reason is not one line of at most %d bytes", maxReason)
	}
	if !wholeSeconds(n.Issued) || n.Until != nil && !wholeSeconds(*n.Until) {
		return errors.New("a time is not in whole seconds of UTC")
	}
	return n.checkEnd()
}

func (n *Notice) checkEnd() error {
	switch {
	case n.Lifts && (n.Until != nil || n.LiftedBy != 0 || n.Safe != nil):
		return errors.New("a notice that lifts others holds nothing: it has no end and no release")
	case n.Lifts:
		return nil
	case n.Until == nil && n.LiftedBy == 0:
		return errors.New("it has no end: neither a time nor a release that lifts it")
	case n.Until != nil && !n.Until.After(n.Issued):
		return errors.New("it ends before it was issued")
	case n.Safe == nil:
		return nil
	}
	if err := bundle.ValidVersion(n.Safe.Version); err != nil {
		return fmt.Errorf("safe release: %w", err)
	}
	if err := n.Safe.Identity.Validate(); err != nil || n.Safe.Identity.Algorithm() != digest.SHA256 {
		return fmt.Errorf("safe release: %.128q is not a SHA-256 digest", n.Safe.Identity)
	}
	return nil
}

func wholeSeconds(t time.Time) bool {
	return t.Nanosecond() == 0 && t.Location() == time.UTC && t.Year() >= 1970 && t.Year() <= 9999
}

// Concerns tells whether a site is meant.
func (n *Notice) Concerns(site string) bool {
	return len(n.Sites) == 0 || slices.Contains(n.Sites, site)
}

// Over tells whether the notice holds nothing at a moment, on a site whose last release of the name has a sequence (0: it has none).
func (n *Notice) Over(now time.Time, sequence uint64) bool {
	return n.Lifts || n.Until != nil && !now.Before(*n.Until) || n.Passes(sequence)
}

// Passes tells whether a release with that sequence lifts the notice.
func (n *Notice) Passes(sequence uint64) bool { return n.LiftedBy != 0 && sequence >= n.LiftedBy }

// Statement is the in-toto statement to sign. Its subject is the notice itself.
func (n *Notice) Statement() ([]byte, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // as it stands in the statement
	if err := enc.Encode(n); err != nil {
		return nil, err
	}
	d := digest.FromBytes(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	about := attest.Resource{Name: n.Name, Digest: map[string]string{string(d.Algorithm()): d.Encoded()}}
	return attest.Statement(about, PredicateType, n)
}

// Parse reads a statement that somebody who is trusted has signed.
func Parse(statement []byte) (*Notice, error) {
	if len(statement) > MaxSize {
		return nil, fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	var s struct {
		PredicateType string  `json:"predicateType"`
		Predicate     *Notice `json:"predicate"`
	}
	if err := json.Unmarshal(statement, &s); err != nil {
		return nil, err
	}
	if s.PredicateType != PredicateType || s.Predicate == nil {
		return nil, fmt.Errorf("it is a statement of type %.128q, which this program does not know for a notice", s.PredicateType)
	}
	n := s.Predicate
	n.Issued = n.Issued.UTC()
	if n.Until != nil {
		u := n.Until.UTC()
		n.Until = &u
	}
	same, err := n.Statement()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(same, statement) {
		return nil, errors.New("it is not in the one form that a notice has: a newer sallyport wrote it, or another program")
	}
	return n, nil
}
