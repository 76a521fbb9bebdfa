package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// maxHistory bounds what is read of the history: its last 4 MiB.
const maxHistory = 4 << 20

// Attempt is what became of one transaction. The journal keeps the last one, the history all of them.
type Attempt struct {
	// Transaction counts the site's transactions. One that was staged first and applied later has two attempts.
	Transaction uint64 `json:"transaction"`
	Release
	Verb    string         `json:"verb"` // apply, stage, rollback
	Result  string         `json:"result"`
	Reason  string         `json:"reason"` // why it failed, one line; empty if it did not
	Began   time.Time      `json:"began"`
	Ended   time.Time      `json:"ended"`
	Signers []string       `json:"signers,omitempty"`
	Checks  []check.Result `json:"checks,omitempty"`
	// Evidence is what its receipt tells beside this; nil of attempts of older programs.
	Evidence *Evidence `json:"evidence,omitempty"`
	// Left are the first of the objects that could not be put back; Leaving of those that could not be deleted.
	Left    []Left `json:"left,omitempty"`
	Leaving []Left `json:"leaving,omitempty"`
}

// ran tells whether the release became the current one then.
func (a Attempt) ran() bool {
	return a.Reason == "" && (a.Result == ResultCommitted || a.Result == ResultRolledBack)
}

// appendHistory adds a to the history at path, unless it is the last one there: a power cut between the history and
// the journal has the same told again.
func appendHistory(d durable.Disk, path string, a Attempt) error {
	known, _, err := readHistory(path)
	if err != nil {
		return stateError(err)
	}
	if n := len(known); n > 0 && known[n-1].Transaction == a.Transaction && known[n-1].Result == a.Result {
		return nil
	}
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := d.AppendLine(path, line, 0o600); err != nil {
		return stateError(err)
	}
	return nil
}

// readHistory returns the attempts in the file at path, oldest first, and how many lines of it are damaged. That there
// is no file is no error.
func readHistory(path string) (attempts []Attempt, damaged int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, privately(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	skip := max(info.Size()-maxHistory, 0)
	data := make([]byte, info.Size()-skip)
	n, err := f.ReadAt(data, skip)
	if n < len(data) && err != nil {
		return nil, 0, err
	}
	if skip > 0 {
		_, data, _ = bytes.Cut(data, []byte{'\n'}) // the first line is not whole
	}
	attempts, damaged = parseHistory(data)
	return attempts, damaged, nil
}

// parseHistory leaves out a torn last line, and counts the lines that are not attempts: one bad sector must not hide
// what the others tell.
func parseHistory(data []byte) (attempts []Attempt, damaged int) {
	for _, line := range durable.Lines(data) {
		a, err := parseAttempt(line)
		if err != nil {
			damaged++
			continue
		}
		attempts = append(attempts, *a)
	}
	return attempts, damaged
}

func parseAttempt(line []byte) (*Attempt, error) {
	var a Attempt
	dec := json.NewDecoder(bytes.NewReader(line))
	if err := dec.Decode(&a); err != nil {
		return nil, err
	}
	if a.Transaction == 0 || a.Result == "" {
		return nil, fmt.Errorf("not an attempt")
	}
	return &a, a.Release.check()
}
