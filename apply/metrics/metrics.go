// Package metrics tells a monitoring system how a site is, in the text format of Prometheus, version 0.0.4, as the text file collector
// of its node exporter reads it: a file with a type that this format does not know is lost as a whole, so there are gauges and
// counters only.
//
// Names follow the rules of OpenMetrics: units are seconds and bytes and stand at a name's end, before _total. What is not known is
// left out: a gauge of 0 would say something else.
package metrics

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Site is what the metrics tell of. Times that are nil are not known.
type Site struct {
	Name    string
	Program string // the version of the program that writes them
	// Phase is where the transaction is, one of Phases.
	Phase  string
	Phases []string
	// Releases are those that the site holds.
	Releases      []Release
	RollbackIndex uint64
	NeedsPerson   bool
	Frozen        bool
	Held          bool
	// Windows tells that there are windows, of which one is open or the next one begins at NextWindow.
	Windows    bool
	WindowOpen bool
	NextWindow *time.Time
	// Committed is when the current release became that.
	Committed *time.Time
	// Transactions counts those that were begun. Last is how the last one ended; nil if none has.
	Transactions uint64
	Last         *Attempt
	// Results are what can come of a transaction.
	Results []string
}

// Release is one that the site holds, and as what: current, previous, staged or trial.
type Release struct {
	Role, Name, Version, Digest, Slot string
	Sequence                          uint64
}

// Attempt is how a transaction ended.
type Attempt struct {
	Result string // one of the site's Results
	// Good tells that it came to what it was to.
	Good  bool
	Ended time.Time
	Took  time.Duration
}

type kind string

const (
	gauge   kind = "gauge"
	counter kind = "counter"
)

// metric is one line of the table.
type metric struct {
	name, help string
	kind       kind
	samples    func(s *Site) []sample
}

type label struct{ name, value string }

type sample struct {
	labels []label
	value  float64
}

// table has every metric there is.
var table = []metric{
	{"sallyport_build_info", "The program that wrote these metrics.", gauge, func(s *Site) []sample {
		return one(1, label{"version", s.Program})
	}},
	{"sallyport_site_info", "The site.", gauge, func(s *Site) []sample {
		return one(1, label{"site", s.Name})
	}},
	{"sallyport_release_info", "A release that the site holds, by its role: current, previous, staged or trial.", gauge, releases},
	{"sallyport_release_sequence", "The sequence of the release in each role.", gauge, sequences},
	{"sallyport_rollback_index", "The sequence below which the site takes no release.", gauge, func(s *Site) []sample {
		return one(float64(s.RollbackIndex))
	}},
	{"sallyport_phase", "Where the transaction is.", gauge, func(s *Site) []sample {
		return states("phase", s.Phases, s.Phase)
	}},
	{"sallyport_needs_person", "Whether a person has to look at the site.", gauge, func(s *Site) []sample {
		return one(truth(s.NeedsPerson))
	}},
	{"sallyport_frozen", "Whether a freeze holds every switch.", gauge, func(s *Site) []sample {
		return one(truth(s.Frozen))
	}},
	{"sallyport_held", "Whether the staged release waits for a person's approval.", gauge, func(s *Site) []sample {
		return one(truth(s.Held))
	}},
	{"sallyport_window_open", "Whether a window is open; absent on a site without windows.", gauge, func(s *Site) []sample {
		if !s.Windows {
			return nil
		}
		return one(truth(s.WindowOpen))
	}},
	{"sallyport_window_start_timestamp_seconds", "When the window that is open began, or else the next one begins.", gauge, func(s *Site) []sample {
		return at(s.NextWindow)
	}},
	{"sallyport_committed_timestamp_seconds", "When the current release was committed.", gauge, func(s *Site) []sample {
		return at(s.Committed)
	}},
	{"sallyport_transactions_total", "Transactions that were begun.", counter, func(s *Site) []sample {
		return one(float64(s.Transactions))
	}},
	{"sallyport_last_attempt_result", "How the last transaction ended.", gauge, func(s *Site) []sample {
		if s.Last == nil {
			return nil
		}
		return states("result", s.Results, s.Last.Result)
	}},
	{"sallyport_last_attempt_success", "Whether the last transaction came to what it was to.", gauge, func(s *Site) []sample {
		if s.Last == nil {
			return nil
		}
		return one(truth(s.Last.Good))
	}},
	{"sallyport_last_attempt_timestamp_seconds", "When the last transaction ended.", gauge, func(s *Site) []sample {
		if s.Last == nil {
			return nil
		}
		return at(&s.Last.Ended)
	}},
	{"sallyport_last_attempt_duration_seconds", "How long the last transaction took.", gauge, func(s *Site) []sample {
		if s.Last == nil {
			return nil
		}
		return one(s.Last.Took.Seconds())
	}},
}

func releases(s *Site) (all []sample) {
	for _, r := range s.Releases {
		all = append(all, one(1, label{"role", r.Role}, label{"name", r.Name}, label{"version", r.Version},
			label{"digest", r.Digest}, label{"slot", r.Slot})...)
	}
	return all
}

func sequences(s *Site) (all []sample) {
	for _, r := range s.Releases {
		all = append(all, one(float64(r.Sequence), label{"role", r.Role})...)
	}
	return all
}

func one(v float64, labels ...label) []sample { return []sample{{labels, v}} }

func at(t *time.Time) []sample {
	if t == nil {
		return nil
	}
	return one(float64(t.Unix()))
}

// states has one sample for each state, of which the one that is has 1.
func states(name string, all []string, is string) (samples []sample) {
	for _, state := range all {
		samples = append(samples, sample{[]label{{name, state}}, truth(state == is)})
	}
	return samples
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Text is the site in Prometheus' text format.
func Text(s *Site) []byte {
	var b bytes.Buffer
	for _, m := range table {
		if samples := m.samples(s); len(samples) > 0 {
			b.WriteString("# HELP " + m.name + " " + m.help + "\n# TYPE " + m.name + " " + string(m.kind) + "\n")
			write(&b, m.name, samples)
		}
	}
	return b.Bytes()
}

func write(b *bytes.Buffer, name string, samples []sample) {
	for _, s := range samples {
		b.WriteString(name)
		for i, l := range s.labels {
			b.WriteString([]string{"{", ","}[min(i, 1)] + l.name + `="` + escape(l.value) + `"`)
		}
		if len(s.labels) > 0 {
			b.WriteByte('}')
		}
		b.WriteString(" " + strconv.FormatFloat(s.value, 'f', -1, 64) + "\n")
	}
}

// escape writes a label's value so that it stays in its quotation marks. What is no UTF-8 is replaced: one bad byte would cost the
// whole file.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(text, "\uFFFD"))
}
