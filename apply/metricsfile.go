package apply

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/metrics"
)

// MetricsConfig says where the site's metrics go.
type MetricsConfig struct {
	// TextFile is in the folder that the text file collector of Prometheus' node exporter reads; it reads names in .prom only.
	TextFile string `json:"textFile"`
}

func (c *MetricsConfig) check(fail failFunc) {
	switch {
	case c == nil:
	case c.TextFile == "":
		fail("spec.metrics.textFile", "is missing", "name the file, such as /var/lib/prometheus/node-exporter/sallyport.prom")
	case !strings.HasSuffix(c.TextFile, ".prom"):
		fail("spec.metrics.textFile", "does not end in .prom, so the node exporter would not read it", "name it sallyport.prom")
	}
}

func (c *MetricsConfig) resolve(base string) {
	if c != nil && !filepath.IsAbs(c.TextFile) {
		c.TextFile = filepath.Join(base, c.TextFile)
	}
}

// Metrics is what a monitoring system learns of the site; program is the version of the program that tells it. It takes no lock.
func (s *Site) Metrics(program string) (*metrics.Site, error) {
	j, err := s.readJournal()
	if err != nil {
		return nil, err
	}
	st, err := s.Status()
	if err != nil {
		return nil, err
	}
	m := &metrics.Site{Name: st.Site, Program: program, Phase: string(st.Phase), RollbackIndex: st.RollbackIndex,
		NeedsPerson: st.NeedsPerson, Frozen: st.Frozen, Held: st.Held, Windows: len(s.cfg.plan.Windows) > 0, WindowOpen: st.WindowOpen,
		NextWindow: st.NextWindow, Committed: st.Since, Transactions: j.Transaction, Results: AttemptResults}
	for _, p := range Phases {
		m.Phases = append(m.Phases, string(p))
	}
	for _, has := range []struct {
		role string
		*Release
	}{{"current", st.Current}, {"previous", st.Previous}, {"staged", st.Staged}, {"trial", st.Trial}} {
		if r := has.Release; r != nil {
			m.Releases = append(m.Releases, metrics.Release{Role: has.role, Name: r.Name, Version: r.Version, Digest: r.Digest.String(),
				Slot: r.Slot.String(), Sequence: r.Sequence})
		}
	}
	if a := st.LastAttempted; a != nil {
		m.Last = &metrics.Attempt{Result: a.Result, Good: a.Reason == "", Ended: a.Ended, Took: a.Ended.Sub(a.Began)}
	}
	return m, nil
}

// WriteMetrics writes the site's metrics to the file of site.yaml, if that names one. What has not changed is not written again, but
// its time of change is: the node exporter tells it, so that a site on which no pass ends any more is seen.
func (s *Site) WriteMetrics(program string) error {
	c := s.cfg.Spec.Metrics
	if c == nil {
		return nil
	}
	m, err := s.Metrics(program)
	if err != nil {
		return err
	}
	text := metrics.Text(m)
	if holds(c.TextFile, text) {
		now := time.Now() // the file system's clock, whatever the site is told
		return os.Chtimes(c.TextFile, now, now)
	}
	return s.deps.Disk.WriteFile(c.TextFile, text, 0o644)
}

func (s *Site) metricsWritable() Finding {
	dir := filepath.Dir(s.cfg.Spec.Metrics.TextFile)
	err := mayWrite(dir)
	if fi, e := os.Stat(dir); e != nil || !fi.IsDir() {
		err = fmt.Errorf("%s is no folder", dir)
	}
	return found("metrics", err, s.cfg.Spec.Metrics.TextFile+" can be written", "name a folder that is there under metrics in site.yaml, or make it")
}

// holds tells whether a file that everybody may read has exactly these bytes.
func holds(path string, want []byte) bool {
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode() != 0o644 || fi.Size() != int64(len(want)) {
		return false
	}
	got, err := os.ReadFile(path)
	return err == nil && bytes.Equal(got, want)
}
