package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Phase is how far the transaction is. What a phase means for the disk, and what becomes of it after a power cut,
// stands in docs/state-machine.md.
type Phase string

// The phases. Each is journalled before its work begins.
const (
	Idle        Phase = "idle"        // no work
	Verified    Phase = "verified"    // the bundle is trusted and fits: load the mirror
	Loaded      Phase = "loaded"      // the mirror holds all of it: fill the slot
	Written     Phase = "written"     // the release is staged: no work until it is to be switched to
	Armed       Phase = "armed"       // make the slot the running one
	Trial       Phase = "trial"       // put the objects on the target, run the checks
	Good        Phase = "good"        // commit
	RollingBack Phase = "rollingBack" // put the previous release back
)

// Phases are all phases, in the order in which a transaction that succeeds goes through them; the way back stands last.
var Phases = []Phase{Idle, Verified, Loaded, Written, Armed, Trial, Good, RollingBack}

// Words tells people what is under way, or done, in a phase.
func (p Phase) Words() string {
	switch p {
	case Verified:
		return "loading the mirror"
	case Loaded:
		return "filling the slot"
	case Written:
		return "staged"
	case Armed:
		return "switching"
	case Good:
		return "committing"
	case RollingBack:
		return "rolling back"
	case Trial:
		return "on trial"
	}
	return "idle"
}

const (
	journalKind = "Journal"
	maxJournal  = 64 << 20 // bytes; the inventory of the target is most of it
	maxBad      = 64       // known bad releases that are remembered
)

// Release says which release, and in which slot it is.
type Release struct {
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	Sequence uint64        `json:"sequence"`
	Digest   digest.Digest `json:"digest"` // of the release manifest, which tells one bundle of the release from others
	// Identity is the same in every bundle of the release. Empty where an older program wrote this and nothing tells it now.
	Identity digest.Digest `json:"identity,omitempty"`
	Slot     slot.Name     `json:"slot,omitempty"`
	// Boot is the slot of the boot loader in which it runs; empty on a site without one.
	Boot slot.Name `json:"boot,omitempty"`
	// Overlays are the names of the overlays that the site takes of it, in the release's order.
	Overlays []string `json:"overlays,omitempty"`
}

// same tells whether both are the same release, be it in different bundles.
func (r Release) same(o Release) bool {
	if r.Identity == "" || o.Identity == "" {
		return r.Digest == o.Digest
	}
	return r.Identity == o.Identity
}

// String is the release as people call it.
func (r Release) String() string { return r.Name + " " + r.Version }

func (r Release) check() error {
	switch {
	case bundle.ValidName(r.Name) != nil || bundle.ValidVersion(r.Version) != nil:
		return fmt.Errorf("%q %q is not a release", r.Name, r.Version)
	case checkDigest(r.Digest) != nil:
		return checkDigest(r.Digest)
	case r.Identity != "" && checkDigest(r.Identity) != nil:
		return checkDigest(r.Identity)
	case r.Slot != slot.A && r.Slot != slot.B && r.Slot != slot.None:
		return fmt.Errorf("%q is not a slot", r.Slot)
	case r.Boot != slot.A && r.Boot != slot.B && r.Boot != slot.None:
		return fmt.Errorf("%q is not a boot slot", r.Boot)
	}
	return nil
}

func checkDigest(d digest.Digest) error {
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return fmt.Errorf("%q is not a sha256 digest", d)
	}
	return nil
}

// journal is state.json: all that the transaction knows.
type journal struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Phase      Phase  `json:"phase"`
	// Transaction counts transactions; it is the number of the one under way, or of the last one.
	Transaction uint64 `json:"transaction"`
	// Attempt is the transaction under way, as the history will have it; nil between transactions.
	Attempt *Attempt `json:"attempt"`

	Staged   *Release `json:"staged"`   // verified, loaded, written: the release to come
	Trial    *Release `json:"trial"`    // armed, trial, good, rollingBack: the release that is tried
	Current  *Release `json:"current"`  // the release that was committed last
	Previous *Release `json:"previous"` // the one before, in the other slot
	// Outgoing is what Previous was before a new release took its slot: it is kept aside until that is committed.
	Outgoing *Release `json:"outgoing"`
	// Reboot is what the trial under way knows of the machine, if it takes a reboot.
	Reboot *reboot `json:"reboot,omitempty"`
	// Saved is the backup of the data that the previous release had; empty if there is none.
	Saved string `json:"saved,omitempty"`
	// Spoiled is the boot slot that was written to for a release that was not committed.
	Spoiled slot.Name `json:"spoiled,omitempty"`

	LastAttempted *Attempt `json:"lastAttempted"`
	// Name is that of the release committed last: the site takes no others, unless site.yaml names them.
	Name string `json:"name,omitempty"`
	// Names is what is remembered of the releases of each name of which one was ever committed.
	Names map[string]line `json:"names,omitempty"`
	// OneIndex stands in the journals of older programs, which had one rollback index for all names.
	OneIndex *uint64 `json:"rollbackIndex,omitempty"`
	// Attempts counts how often the trial under way was begun.
	Attempts int `json:"attempts"`
	// Live lists every object that may be on the target because of us. It grows before anything is applied and
	// shrinks only after pruning.
	Live kube.Inventory `json:"live"`
	// Left are the objects that could not be put back as the current release has them. Every verb tries them again.
	Left []Left `json:"left,omitempty"`
	// Leaving are objects in Live that are not of the release that runs. In trial and good nobody has tried to delete them yet;
	// later they are those whose deletion was refused or hangs, which every verb tries again.
	Leaving []Left `json:"leaving,omitempty"`
	// Unrestored is why a rollback was given up for another release; empty if what runs was put back. Every verb tries again.
	Unrestored string `json:"unrestored,omitempty"`
	// Recorded is the transaction whose record tells what was on the target before what is to be taken back; 0 if nothing is.
	// Before is the transaction whose record tells what was there before the current release.
	Recorded uint64 `json:"recorded,omitempty"`
	Before   uint64 `json:"before,omitempty"`
	// Hooks are those that have done their work in the transaction under way.
	Hooks []string `json:"hooks,omitempty"`
	// Bad are the identities of the releases whose trial failed here, oldest first.
	Bad []digest.Digest `json:"bad"`
	// NeedsPerson says what a person has to look at; empty if nobody has to.
	NeedsPerson string `json:"needsPerson"`
	// PutBack is the release that a person rolled back from: it does not come again by itself.
	PutBack *PutBack `json:"putBack,omitempty"`

	// Recollected: Live knows nothing of what was there before the journal was lost.
	Recollected bool `json:"recollected,omitempty"`

	// lost is why the journal had to be made up of history and slots; nil for one that was read.
	lost error
}

// PutBack is a release that a person rolled back from, and when.
type PutBack struct {
	Release
	At time.Time `json:"at"`
}

func newJournal() *journal {
	return &journal{APIVersion: bundle.APIVersion, Kind: journalKind, Phase: Idle, Bad: []digest.Digest{}}
}

// loadJournal reads the journal at path; a site without one is new.
func loadJournal(path string) (*journal, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newJournal(), nil
	}
	if err != nil {
		return nil, stateError(privately(path, err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return nil, stateError(err)
	}
	j, err := parseJournal(data)
	if err != nil {
		return nil, &journalError{path, err}
	}
	return j, nil
}

// readJournal reads the site's journal. Losing that file must not open the way back to older releases, nor the way in for
// another product's.
func (s *Site) readJournal() (*journal, error) {
	j, err := loadJournal(s.journalPath())
	var damaged *journalError
	switch {
	case errors.As(err, &damaged) && !damaged.newer():
		j = newJournal()
		j.lost = errors.New("it is damaged")
		return j, s.recollect(j)
	case err != nil:
		return nil, err
	case j.Transaction == 0:
		return j, s.recollect(j)
	case j.OneIndex != nil:
		return j, s.modernise(j)
	}
	return j, nil
}

// journalError is a journal that does not parse or contradicts itself.
type journalError struct {
	path string
	err  error
}

// newer tells a journal that a later sallyport wrote from one that is damaged.
func (e *journalError) newer() bool { return strings.HasPrefix(e.err.Error(), "json: unknown field") }

func (e *journalError) Error() string {
	return fmt.Sprintf("the journal %s cannot be used: %v", e.path, e.err)
}

// Reason is the stable word for scripts.
func (e *journalError) Reason() string { return "person" }

// Hint says what to do next.
func (e *journalError) Hint() string {
	if e.newer() {
		return "a newer sallyport has written it: install that again"
	}
	return "sallyport status says what helps"
}

// parseJournal accepts the one byte form that marshal writes.
func parseJournal(data []byte) (*journal, error) {
	if len(data) > maxJournal {
		return nil, fmt.Errorf("it is larger than %d bytes", maxJournal)
	}
	var j journal
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return nil, err
	}
	again, err := j.marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(data, again) {
		return nil, errors.New("it is not in the form in which it was written")
	}
	return &j, j.check()
}

func (j *journal) marshal() ([]byte, error) {
	b, err := json.MarshalIndent(j, "", " ")
	return append(b, '\n'), err
}

func (j *journal) save(d durable.Disk, path string) error {
	if err := j.check(); err != nil {
		return fmt.Errorf("the journal would not be sound: %w", err)
	}
	b, err := j.marshal()
	if err != nil {
		return err
	}
	if err := d.WriteFile(path, b, 0o600); err != nil {
		return stateError(err)
	}
	return nil
}

// check holds the journal to what the phases promise each other.
func (j *journal) check() error {
	if j.APIVersion != bundle.APIVersion || j.Kind != journalKind {
		return fmt.Errorf("it says %q %q, not %q %q", j.APIVersion, j.Kind, bundle.APIVersion, journalKind)
	}
	for _, r := range []*Release{j.Staged, j.Trial, j.Current, j.Previous, j.Outgoing} {
		if r == nil {
			continue
		}
		if err := r.check(); err != nil {
			return err
		}
		if r.Slot == slot.None {
			return fmt.Errorf("%s is in no slot", r)
		}
	}
	if err := j.checkPhase(); err != nil {
		return err
	}
	if err := j.checkSlots(); err != nil {
		return err
	}
	if err := j.checkNames(); err != nil {
		return err
	}
	if err := j.Reboot.check(j.Trial); err != nil {
		return err
	}
	if j.Current != nil && j.Spoiled != slot.None && j.Current.Boot == j.Spoiled {
		return fmt.Errorf("boot slot %s of the current release is spoiled", j.Spoiled)
	}
	if len(j.Bad) > maxBad {
		return fmt.Errorf("it names %d bad releases, more than %d", len(j.Bad), maxBad)
	}
	return nil
}

// checkPhase wants exactly the releases that the phase works on.
func (j *journal) checkPhase() error {
	var staged, trial bool
	switch j.Phase {
	case Idle:
	case Verified, Loaded, Written:
		staged = true
	case Armed, Trial, Good, RollingBack:
		trial = true
	default:
		return fmt.Errorf("%q is not a phase", j.Phase)
	}
	if staged != (j.Staged != nil) || trial != (j.Trial != nil) {
		return fmt.Errorf("phase %s does not go with what is staged and on trial", j.Phase)
	}
	if (j.Phase == Idle) != (j.Attempt == nil) {
		return fmt.Errorf("phase %s does not go with the attempt under way", j.Phase)
	}
	return nil
}

// checkSlots wants no two releases in one slot, but for the previous one, which is there until its slot is refilled.
func (j *journal) checkSlots() error {
	next := j.Staged
	if next == nil {
		next = j.Trial
	}
	switch {
	case (j.Previous != nil || j.Outgoing != nil) && j.Current == nil:
		return errors.New("there is a previous release but no current one")
	case j.Outgoing != nil && (next == nil || j.Outgoing.Slot != next.Slot):
		return fmt.Errorf("%s is kept aside, but nothing took its slot", j.Outgoing)
	case j.Previous != nil && j.Previous.Slot == j.Current.Slot,
		next != nil && j.Current != nil && next.Slot == j.Current.Slot:
		return fmt.Errorf("two releases are in slot %s", j.Current.Slot)
	}
	return nil
}

// inactive is the slot that a new release goes to: the one that the current release is not in.
func (j *journal) inactive() slot.Name {
	if j.Current == nil {
		return slot.A
	}
	return j.Current.Slot.Other()
}

// markBad remembers a release that failed its trial.
func (j *journal) markBad(r Release) {
	if j.isBad(r) {
		return
	}
	j.Bad = append(slices.Clone(j.Bad), r.tried())
	if over := len(j.Bad) - maxBad; over > 0 {
		j.Bad = slices.Delete(j.Bad, 0, over)
	}
}

// isBad tells whether a release failed its trial here. Older programs noted the digest of its bundle's release manifest.
func (j *journal) isBad(r Release) bool {
	return slices.Contains(j.Bad, r.tried()) || slices.Contains(j.Bad, r.Digest)
}
