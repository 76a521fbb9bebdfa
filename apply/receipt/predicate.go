package receipt

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/verify"
)

// The predicate types of the three statements.
const (
	PredicateReceipt   = "https://sallyport.dev/receipt/v1"
	PredicateEnrolment = "https://sallyport.dev/enrolment/v1"
	PredicateStanding  = "https://sallyport.dev/standing/v1"
)

// Site is the machine that tells.
type Site struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Release is what was tried, or what runs.
type Release struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Sequence uint64 `json:"sequence"`
	// Digest tells one bundle of the release from others, Identity one release from others.
	Digest   digest.Digest `json:"digest"`
	Identity digest.Digest `json:"identity,omitempty"`
}

// Phase is when an attempt came to a phase of the transaction, and in which boot of the machine.
type Phase struct {
	Phase string    `json:"phase"`
	At    time.Time `json:"at"`
	Boot  string    `json:"boot,omitempty"`
}

// Bytes tells what an attempt moved.
type Bytes struct {
	Read     int64 `json:"read"`     // of the bundle
	Restored int64 `json:"restored"` // pushed to the mirror
	Reused   int64 `json:"reused"`   // of blobs that the mirror had
	Written  int64 `json:"written,omitempty"`
}

// Clock says whether the times in a statement are to be relied on, and why.
type Clock struct {
	Trusted bool   `json:"trusted"`
	Why     string `json:"why"`
}

// Link names the receipt before: its number in the chain and the digest of its statement.
type Link struct {
	Number uint64        `json:"number"`
	Digest digest.Digest `json:"digest"`
}

// Merged counts receipts of one result that the site holds no more.
type Merged struct {
	Result string `json:"result"`
	Count  uint64 `json:"count"`
	// First and Last are numbers in the chain; they are 0 of attempts for which no receipt was ever made. From and To are when the
	// first of the attempts and the last of them ended.
	First uint64    `json:"first,omitempty"`
	Last  uint64    `json:"last,omitempty"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

// Summary has the fields of a SLSA verification summary: who verified which release by which policy, and what came of it.
// https://slsa.dev/spec/v1.1/verification_summary
type Summary struct {
	Verifier     Verifier  `json:"verifier"`
	TimeVerified time.Time `json:"timeVerified"`
	ResourceURI  string    `json:"resourceUri"`
	Policy       Policy    `json:"policy"`
	Result       string    `json:"verificationResult"` // PASSED
	Levels       []string  `json:"verifiedLevels"`
	// Signers and Checks are beyond SLSA: the keys that have signed, and each thing that was looked at.
	Signers []verify.Signer `json:"signers"`
	Checks  []verify.Check  `json:"checks"`
}

// Verifier is the program that verified.
type Verifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Policy is by what was verified: the site's trust.
type Policy struct {
	URI string `json:"uri"`
}

// Standing is how the site is when it tells.
type Standing struct {
	Runs   *Release `json:"runs"`
	Staged *Release `json:"staged,omitempty"`
	Phase  string   `json:"phase"`
	// Held says why nothing is switched although it could be: a freeze, or a release that waits for a person. NextWindow is when
	// the site may switch next.
	Held       string     `json:"held,omitempty"`
	NextWindow *time.Time `json:"nextWindow,omitempty"`
	// Person says what a person has to look at; empty if nobody has to.
	Person string `json:"person,omitempty"`
	// Mirror says how the mirror was when it was asked for this; Drift how many objects on the target differ from the release that
	// runs, and is nil if nobody could tell.
	Mirror string `json:"mirror,omitempty"`
	Drift  *int   `json:"drift,omitempty"`
}

// Receipt is the predicate that tells of one attempt.
type Receipt struct {
	Site     Site   `json:"site"`
	Number   uint64 `json:"number"` // in the chain, from 1
	Previous *Link  `json:"previous"`
	// Transaction counts the site's transactions; Attempt, from 1, what was told of that one.
	Transaction  uint64         `json:"transaction"`
	Attempt      int            `json:"attempt"`
	Verb         string         `json:"verb"`
	Result       string         `json:"result"`
	Reason       string         `json:"reason,omitempty"`
	Release      Release        `json:"release"`
	Began        time.Time      `json:"began"`
	Ended        time.Time      `json:"ended"`
	Phases       []Phase        `json:"phases"`
	Clock        Clock          `json:"clock"`
	Checks       []check.Result `json:"checks"`
	Bytes        Bytes          `json:"bytes"`
	Verification *Summary       `json:"verificationSummary,omitempty"`
	// Standing is how the site was when the receipt was made, after the attempt had ended.
	Standing Standing  `json:"standing"`
	Merged   []Merged  `json:"merged,omitempty"`
	Made     time.Time `json:"made"`
}

// Enrolment is the predicate by which a site says which key is its own. The key itself signs it.
type Enrolment struct {
	Site Site      `json:"site"`
	Key  string    `json:"key"` // PEM
	Made time.Time `json:"made"`
	// Replaces is the id of the key that the site had before, where it knows of one.
	Replaces string `json:"replaces,omitempty"`
}

// Presence is the predicate that tells of a site without an attempt: it was there, and this is how it was.
type Presence struct {
	Site     Site      `json:"site"`
	Last     *Link     `json:"last"` // the newest receipt; nil if there was none yet
	Standing Standing  `json:"standing"`
	Clock    Clock     `json:"clock"`
	Merged   []Merged  `json:"merged,omitempty"`
	Made     time.Time `json:"made"`
	Boot     string    `json:"boot,omitempty"`
}
