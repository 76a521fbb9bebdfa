package report

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/receipt"
)

var columns = []string{"site", "region", "ring", "state", "why", "release", "version", "sequence", "last_seen", "last_applied", "last_attempted",
	"result", "clock_trusted", "next_window", "drift", "receipts", "failed", "merged", "missing", "bytes_read", "bytes_restored", "bytes_reused",
	"keys", "apart"}

// CSV writes one line a site. Each cell is quoted, and none of them is a formula to a spreadsheet.
func (f *Fleet) CSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	line(b, columns)
	for _, s := range f.Sites {
		line(b, s.cells())
	}
	return b.Flush()
}

func (s Site) cells() []string {
	runs := receipt.Release{}
	if s.Runs != nil {
		runs = *s.Runs
	}
	drift, next := "", ""
	if s.Drift != nil {
		drift = strconv.Itoa(*s.Drift)
	}
	if s.NextWindow != nil {
		next = stamp(*s.NextWindow)
	}
	return []string{s.Name, s.Region, s.Ring, s.State, s.Why, runs.Name, runs.Version, strconv.FormatUint(runs.Sequence, 10), stamp(s.Seen),
		stamp(s.Applied), stamp(s.Attempted), s.Result, strconv.FormatBool(s.ClockTrusted), next, drift, strconv.Itoa(s.Receipts),
		strconv.Itoa(s.Failed), strconv.FormatUint(s.Merged, 10), strconv.FormatUint(s.Missing, 10), strconv.FormatInt(s.Bytes.Read, 10),
		strconv.FormatInt(s.Bytes.Restored, 10), strconv.FormatInt(s.Bytes.Reused, 10), strings.Join(s.Keys, " "), strings.Join(s.Apart, " ")}
}

// stamp is a time; empty if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func line(b *bufio.Writer, cells []string) {
	for i, c := range cells {
		if i > 0 {
			_ = b.WriteByte(',') // Flush tells of errors
		}
		_, _ = b.WriteString(`"` + strings.ReplaceAll(harmless(c), `"`, `""`) + `"`)
	}
	_, _ = b.WriteString("\r\n")
}

// formula are the characters by which spreadsheets know a formula, and separators those after which one of them begins a cell, be it
// in a country where cells end at a semicolon, or because somebody split a column.
const (
	formula    = "=+-@＝＋－＠"
	separators = ",;|\t\r\n\"':"
)

// harmless is a cell with an apostrophe before whatever could be a formula, and without line ends.
func harmless(s string) string {
	var b strings.Builder
	begins := true
	for _, r := range s {
		if r == '\r' || r == '\n' || r == '\t' || r == 0 {
			begins = true
			b.WriteByte(' ')
			continue
		}
		if begins && strings.ContainsRune(formula, r) {
			b.WriteByte('\'')
		}
		begins = strings.ContainsRune(separators, r) || begins && r == ' '
		b.WriteRune(r)
	}
	return b.String()
}
