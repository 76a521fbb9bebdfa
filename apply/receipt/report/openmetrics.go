package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// OpenMetrics writes the report in the text format of that name, for a file that a scraper reads.
func (f *Fleet) OpenMetrics(w io.Writer) error {
	m := metrics{bufio.NewWriter(w)}
	m.family("sallyport_fleet_sites", "gauge", "", "Sites of each state.")
	for _, state := range States {
		m.sample("sallyport_fleet_sites", f.States[state], "state", state)
	}
	m.family("sallyport_fleet_receipts", "gauge", "", "Receipts that count.")
	m.sample("sallyport_fleet_receipts", f.Receipts)
	m.family("sallyport_fleet_apart", "gauge", "", "Things that stand apart: statements that do not count, keys that are not as they should be.")
	for _, n := range f.reasons() {
		m.sample("sallyport_fleet_apart", n.count, "reason", n.reason)
	}
	m.family("sallyport_fleet_release_sites", "gauge", "", "Sites that run a release.")
	for _, v := range f.Versions {
		m.sample("sallyport_fleet_release_sites", v.Sites, "release", v.Name, "version", v.Version)
	}
	f.perSite(m)
	_, _ = m.WriteString("# EOF\n")
	return m.Flush()
}

func (f *Fleet) perSite(m metrics) {
	m.family("sallyport_site_state", "stateset", "", "How a site is.")
	for _, s := range f.Sites {
		for _, state := range States {
			m.sample("sallyport_site_state", bit(s.State == state), append(s.labels(), "sallyport_site_state", state)...)
		}
	}
	for _, t := range []struct {
		name, help string
		at         func(Site) time.Time
	}{
		{"seen", "When the site last told anything.", func(s Site) time.Time { return s.Seen }},
		{"applied", "When the site last committed a release.", func(s Site) time.Time { return s.Applied }},
		{"attempted", "When the site last tried to change its release.", func(s Site) time.Time { return s.Attempted }},
	} {
		name := "sallyport_site_last_" + t.name + "_timestamp_seconds"
		m.family(name, "gauge", "seconds", t.help)
		for _, s := range f.Sites {
			if at := t.at(s); !at.IsZero() {
				m.sample(name, at.Unix(), s.labels()...)
			}
		}
	}
	for _, t := range []struct {
		name, help string
		n          func(Site) int64
	}{
		{"read", "Bytes of bundles that the site has read.", func(s Site) int64 { return s.Bytes.Read }},
		{"restored", "Bytes that the site's mirror was given.", func(s Site) int64 { return s.Bytes.Restored }},
		{"reused", "Bytes that the site's mirror had already.", func(s Site) int64 { return s.Bytes.Reused }},
	} {
		name := "sallyport_site_" + t.name + "_bytes"
		m.family(name, "gauge", "bytes", t.help)
		for _, s := range f.Sites {
			m.sample(name, t.n(s), s.labels()...)
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s Site) labels() []string { return []string{"site", s.Name, "region", s.Region, "ring", s.Ring} }

// metrics writes families one after the other.
type metrics struct{ *bufio.Writer }

func (m metrics) family(name, kind, unit, help string) {
	fmt.Fprintf(m, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(m, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(m, "# HELP %s %s\n", name, help)
}

// escape is a label's value as OpenMetrics has it.
var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (m metrics) sample(name string, value any, labels ...string) {
	_, _ = m.WriteString(name) // Flush tells of errors
	for i := 0; i < len(labels); i += 2 {
		fmt.Fprintf(m, `%s%s="%s"`, sign(i), labels[i], escape.Replace(strings.ToValidUTF8(labels[i+1], "�")))
	}
	if len(labels) > 0 {
		_ = m.WriteByte('}')
	}
	fmt.Fprintf(m, " %d\n", value)
}

func sign(i int) string {
	if i == 0 {
		return "{"
	}
	return ","
}

type reasonCount struct {
	reason string
	count  int
}

// reasons counts what stands apart by reason, in the order of the list.
func (f *Fleet) reasons() (all []reasonCount) {
	for _, a := range f.Apart {
		if n := len(all); n > 0 && all[n-1].reason == a.Reason {
			all[n-1].count++
			continue
		}
		all = append(all, reasonCount{a.Reason, 1})
	}
	return all
}
