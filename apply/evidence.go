package apply

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/verify"
)

// maxMarks bounds the phases that an attempt remembers; a trial that is cut short again and again adds one each time.
const maxMarks = 64

// Evidence is what an attempt leaves for its receipt beside how it ended.
type Evidence struct {
	// Phases tell when the transaction came to each phase, and in which boot. One that was gone on with after a boot stands there
	// again.
	Phases []PhaseMark `json:"phases,omitempty"`
	Bytes  Bytes       `json:"bytes"`
	// Clock says why the times are to be relied on, or why not.
	ClockTrusted bool   `json:"clockTrusted"`
	Clock        string `json:"clock,omitempty"`
	// Verified is what was found when the bundle was verified; nil of a rollback.
	Verified *verify.Report `json:"verified,omitempty"`
}

// PhaseMark is when a transaction came to a phase.
type PhaseMark struct {
	Phase Phase     `json:"phase"`
	At    time.Time `json:"at"`
	Boot  string    `json:"boot,omitempty"`
}

// testimony is the evidence of one transaction, as it stands beside the journal. It is no part of that: it decides nothing, and
// programs that know nothing of it read the journal all the same.
type testimony struct {
	Transaction uint64 `json:"transaction"`
	Evidence
}

// evidence is what is known of the transaction under way.
func (r *run) evidence(transaction uint64) *testimony {
	if r.seen != nil && r.seen.Transaction == transaction {
		return r.seen
	}
	w := &testimony{}
	b, err := readSmall(r.evidencePath())
	if err != nil || json.Unmarshal([]byte(b), w) != nil || w.Transaction != transaction {
		w = &testimony{Transaction: transaction}
	}
	r.seen = w
	return w
}

// testify notes to which phase the transaction has come. What cannot be kept is missing in the receipt, and no work fails for it; so
// this does not go by way of the disk on which everything else relies.
func (r *run) testify() {
	a := r.journal.Attempt
	if a == nil {
		return
	}
	w, boot := r.evidence(a.Transaction), r.bootID()
	n := len(w.Phases)
	if n > 0 && w.Phases[n-1].Phase == r.journal.Phase && w.Phases[n-1].Boot == boot {
		return
	}
	w.Phases = append(w.Phases, PhaseMark{r.journal.Phase, r.deps.Now().UTC(), boot})
	if over := len(w.Phases) - maxMarks; over > 0 {
		w.Phases = slices.Delete(w.Phases, 1, 1+over) // how it began is worth most
	}
	r.gather(w)
	if b, err := json.Marshal(w); err == nil {
		_ = durable.WriteFile(r.evidencePath(), b, 0o600)
	}
}

// gather takes in what this run has read and found.
func (r *run) gather(w *testimony) {
	if r.bundle != nil {
		report := r.bundle.Report()
		w.Bytes, w.Verified = r.moved(), &report
	}
}

// moved is what the run has moved by now.
func (r *run) moved() Bytes {
	b := r.bytes
	if r.read != nil {
		b.Read = r.read.n
	}
	return b
}

// bootID is that of the running boot; empty where nothing tells it.
func (r *run) bootID() string {
	if r.deps.BootID == nil {
		return ""
	}
	if r.boot == nil {
		id, _ := r.deps.BootID() // without it a mark is worth less, and no work fails
		r.boot = &id
	}
	return *r.boot
}

// evident adds its evidence to an attempt that ends.
func (r *run) evident(a *Attempt) {
	w := r.evidence(a.Transaction)
	r.gather(w)
	w.ClockTrusted, w.Clock = r.clock(a.Ended)
	e := w.Evidence
	a.Evidence = &e
}

// clock says whether a time that the clock of this machine told is to be relied on, and why.
func (s *Site) clock(now time.Time) (trusted bool, why string) {
	if s.deps.ClockSynced != nil && s.deps.ClockSynced() {
		return true, "a time server keeps it"
	}
	if last := s.lastSeen(); now.Before(last) {
		return false, fmt.Sprintf("no time server keeps it, and it is earlier than %s, which it has told before", last.UTC().Format(time.RFC3339))
	}
	return false, "no time server keeps it"
}

// lastSeen is the newest time that the site has noted, and no earlier than its software.
func (s *Site) lastSeen() time.Time {
	last := firstRelease
	if j, err := loadJournal(s.journalPath()); err == nil && j.LastAttempted != nil && j.LastAttempted.Ended.After(last) {
		last = j.LastAttempted.Ended
	}
	return last
}
