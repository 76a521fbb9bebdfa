package report

import (
	"time"

	"github.com/sallyport-dev/sallyport/apply/receipt"
)

// States of a site, the worst first.
const (
	StatePerson  = "needs a person" // it says so itself
	StateFailed  = "failed"         // its last attempt did not succeed, and what ran before runs
	StateOffline = "offline"        // nothing was heard of it for long, and its last word was a good one
	StateHeld    = "held"           // a freeze, or a release that waits for a person
	StateNotDue  = "not due"        // a release is staged and waits for its window
	StateOK      = "ok"
)

// States lists all states, the worst first.
var States = []string{StatePerson, StateFailed, StateOffline, StateHeld, StateNotDue, StateOK}

// Fleet is what the receipts in a folder tell.
type Fleet struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Made       time.Time `json:"made"`
	// Files is how many statements were read, Receipts how many of them are receipts that count, each once.
	Files    int `json:"files"`
	Receipts int `json:"receipts"`
	// States counts the sites of each state. Versions says what runs how often.
	States   map[string]int `json:"states"`
	Versions []Version      `json:"versions"`
	Bytes    receipt.Bytes  `json:"bytes"`
	Sites    []Site         `json:"sites"`
	// Apart are statements that do not count, and keys that are not what they should be. More counts those beyond the list.
	Apart []Apart `json:"apart"`
	More  int     `json:"moreApart"`
}

// Version is a release in the field.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Sites   int    `json:"sites"`
}

// Site is what is known of one site.
type Site struct {
	Name   string            `json:"site"`
	Region string            `json:"region"` // the labels of these names
	Ring   string            `json:"ring"`
	Labels map[string]string `json:"labels"`
	State  string            `json:"state"`
	// Why says more of the state, in one sentence; empty if there is nothing to say.
	Why    string           `json:"why,omitempty"`
	Runs   *receipt.Release `json:"runs"`
	Staged *receipt.Release `json:"staged"`
	// Seen, Applied and Attempted are when the site last told anything, last committed a release, and last tried to; zero is never.
	Seen      time.Time `json:"lastSeen"`
	Applied   time.Time `json:"lastApplied"`
	Attempted time.Time `json:"lastAttempted"`
	// ClockTrusted tells whether the site relies on the clock by which it told Seen.
	ClockTrusted bool          `json:"clockTrusted"`
	Result       string        `json:"result"` // of the last attempt
	NextWindow   *time.Time    `json:"nextWindow"`
	Drift        *int          `json:"drift"` // objects that differ from the release; nil if nobody knows
	Mirror       string        `json:"mirror"`
	Receipts     int           `json:"receipts"`
	Failed       int           `json:"failed"`  // attempts
	Merged       uint64        `json:"merged"`  // receipts that the site holds no more
	Missing      uint64        `json:"missing"` // receipts of its chain that have not come yet
	Bytes        receipt.Bytes `json:"bytes"`
	Keys         []string      `json:"keys"` // oldest first
	// Apart are the reasons for which something of this site stands apart.
	Apart []string `json:"apart"`
}

// Reasons for which something stands apart.
const (
	ApartDamaged   = "damaged"   // no statement, or not a whole one
	ApartSignature = "signature" // not signed by the key that it names
	ApartUnknown   = "unknown"   // signed by a key that is not enrolled
	ApartChain     = "chain"     // does not follow the receipt before
	ApartCloned    = "cloned"    // two machines with one key
	ApartRecovered = "recovered" // the site has another key than before
	ApartNames     = "names"     // one key tells of several sites
)

// Apart is one thing that stands apart.
type Apart struct {
	Reason string `json:"reason"`
	Site   string `json:"site,omitempty"` // as the statement says, which nobody may have signed
	Key    string `json:"key,omitempty"`
	File   string `json:"file,omitempty"`
	Text   string `json:"text"`
}
