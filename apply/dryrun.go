package apply

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// Forecast is what applying a bundle would do.
type Forecast struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Release    *Release `json:"release"`
	Current    *Release `json:"current"`
	// Runs tells that the release runs already, so that nothing would be done.
	Runs    bool          `json:"runs"`
	Changes []kube.Change `json:"changes"`
	// Push and Reuse are bytes of blobs that the mirror would be sent, and that it has.
	Push  int64 `json:"push"`
	Reuse int64 `json:"reuse"`
	// Checks name what would decide the trial.
	Checks []string `json:"checks"`
	// Boot is the boot slot that would get the release's operating system and be tried at the next boot; empty if none would.
	Boot    slot.Name `json:"boot,omitempty"`
	Verdict Verdict   `json:"verdict"`
}

// Verdict tells whether a release would be taken, by what can be known before anything is touched.
type Verdict struct {
	Applicable bool `json:"applicable"`
	// Reason is the stable word for why it would not: refused, one-way, unusable. Objects are the changes that stand in the way.
	Reason  string    `json:"reason,omitempty"`
	Objects []kube.ID `json:"objects,omitempty"`
}

func verdictOf(refusal error, changes []kube.Change) Verdict {
	var why interface{ Reason() string }
	if !errors.As(refusal, &why) {
		return Verdict{Applicable: refusal == nil}
	}
	v := Verdict{Reason: why.Reason()}
	oneWay := why.Reason() == "one-way"
	for _, c := range changes {
		if oneWay && c.OneWay != "" && !c.Accepted || !oneWay && c.Action == kube.Conflict {
			v.Objects = append(v.Objects, c.ID)
		}
	}
	return v
}

// DryRun verifies every byte of the bundle, judges as Apply does whether it fits and asks the target what it would do.
// It changes nothing; a transaction that was left unfinished stays so. If the target refuses objects, there is a forecast
// as well as an error, whose reason is "refused".
func (s *Site) DryRun(ctx context.Context, in Input, o Options) (f *Forecast, err error) {
	r, err := s.look("apply --dry-run")
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	b, _, err := s.verified(in, r.journal)
	if err != nil {
		return nil, err
	}
	d := b.Descriptor()
	about := r.releaseHere(d, b.ReleaseDigest())
	f = &Forecast{APIVersion: bundle.APIVersion, Kind: "Forecast", Release: &about, Current: r.journal.Current,
		Changes: []kube.Change{}, Checks: checkNames(d.Checks)}
	if r.journal.Current != nil && r.journal.Current.sameHere(about) {
		f.Runs, f.Verdict.Applicable = true, true
		return f, nil
	}
	p, err := r.judge(ctx, d, about, o)
	if err != nil {
		return nil, err
	}
	if err := r.gate(d, o.Now); err != nil {
		r.say("note", "%s", err)
	}
	f.Push, f.Reuse = p.pushing, p.total()-p.pushing
	if home, err := r.booted(ctx); err == nil && p.boot != home {
		f.Boot = p.boot
	}
	if f.Changes, err = r.changes(ctx, b); err != nil {
		return nil, err
	}
	err = r.refusal(f.Changes)
	f.Verdict = verdictOf(err, f.Changes)
	return f, err
}

// look begins a verb that changes nothing: it locks the site, if there is one yet.
func (s *Site) look(verb string) (*run, error) {
	r := &run{Site: s, verb: verb, began: s.deps.Now(), slots: s.Slots()}
	if _, err := os.Stat(s.cfg.Spec.State); errors.Is(err, fs.ErrNotExist) {
		r.journal = newJournal()
		return r, nil
	}
	var err error
	if r.lock, err = takeLock(s.cfg.Spec.State, r.verb); err != nil {
		return nil, err
	}
	if r.journal, err = s.readJournal(); err != nil {
		return nil, errors.Join(err, r.lock.release())
	}
	return r, nil
}

// changes reads the bundle to its end and asks the target about the objects in it.
func (r *run) changes(ctx context.Context, b *verify.Bundle) ([]kube.Change, error) {
	d := b.Descriptor()
	wanted := map[digest.Digest]bool{d.Manifests.Digest: true}
	for _, o := range d.Taken(r.cfg.Metadata.Labels) {
		wanted[o.Digest] = true
	}
	blobs := map[digest.Digest][]byte{}
	for len(blobs) < len(wanted) {
		e, err := b.Next()
		if err != nil {
			return nil, err
		}
		if wanted[e.Desc.Digest] {
			// All of them have at most twice bundle.MaxObjectsSize: the descriptor has been checked.
			if blobs[e.Desc.Digest], err = io.ReadAll(&cancelReader{ctx, e}); err != nil {
				return nil, err
			}
		}
	}
	if err := b.Drain(ctx); err != nil {
		return nil, err
	}
	yaml, _, err := siteObjects(d, r.overlayNames(d), func(dgst digest.Digest) ([]byte, error) { return blobs[dgst], nil })
	if err != nil {
		return nil, err
	}
	changes, err := r.target.DryRun(ctx, r.hooked(&slotRelease{descriptor: d, yaml: yaml}), r.journal.Live)
	if changes == nil {
		changes = []kube.Change{}
	}
	return changes, err
}

func checkNames(checks []bundle.Check) []string {
	names := []string{}
	for _, c := range checks {
		names = append(names, c.Name)
	}
	return names
}
