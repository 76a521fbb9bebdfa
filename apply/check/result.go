package check

import "time"

// Verdict is what came of a check.
type Verdict string

const (
	// Pass means enough good measurements.
	Pass Verdict = "pass"
	// Fail means too many bad measurements, or too few good ones in time.
	Fail Verdict = "fail"
	// Error means that the check cannot be measured on this site, now or later.
	Error Verdict = "error"
	// Skipped means that an earlier required check decided before this one was asked.
	Skipped Verdict = "skipped"
)

// Result is the outcome of one check, as scripts and receipts see it.
type Result struct {
	Name     string  `json:"name"`
	Kind     string  `json:"kind"` // kubernetes, http, tcp, exec or image
	Verdict  Verdict `json:"verdict"`
	Message  string  `json:"message,omitempty"` // why it is not a pass; one line
	Required bool    `json:"required"`
	Tries    int     `json:"tries"`
	Seconds  float64 `json:"seconds"` // the initial delay included
}

// Event tells how far a check has come. One is sent when a check begins, one after each measurement or try to take one, and
// one, with Result set, when it is decided.
type Event struct {
	Name   string
	Index  int           // of the check, from 0
	Total  int           // checks in this run
	Good   int           // good measurements so far
	Want   int           // good measurements needed
	Tries  int           // measurements so far
	Left   time.Duration // until the check times out
	Last   string        // what the last bad measurement said; empty after a good one
	Away   bool          // nobody could be asked: no measurement, and the check's time stands still
	Result *Result       // set in the last event of the check
}
