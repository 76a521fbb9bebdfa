package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// busy is a site of which everything is known, with labels that want to be escaped.
func busy() *Site {
	at := time.Date(2026, 11, 21, 2, 13, 0, 0, time.FixedZone("CET", 3600))
	return &Site{
		Name: `store "0142"\n`, Program: "1.2.3\n", Phase: "written", Phases: []string{"idle", "written"},
		Releases: []Release{
			{Role: "current", Name: "store-platform", Version: "2.4.0", Digest: "sha256:aa", Slot: "B", Sequence: 17},
			{Role: "previous", Name: "store-platform", Version: "2.3.0", Digest: "sha256:bb", Slot: "A", Sequence: 16},
		},
		RollbackIndex: 17, NeedsPerson: true, Frozen: true, Windows: true, NextWindow: &at, Committed: &at, Transactions: 4,
		Last: &Attempt{Result: "committed", Good: true, Ended: at, Took: 250 * time.Second}, Results: []string{"committed", "failed"},
	}
}

const busyText = `# HELP sallyport_build_info The program that wrote these metrics.
# TYPE sallyport_build_info gauge
sallyport_build_info{version="1.2.3\n"} 1
# HELP sallyport_site_info The site.
# TYPE sallyport_site_info gauge
sallyport_site_info{site="store \"0142\"\\n"} 1
# HELP sallyport_release_info A release that the site holds, by its role: current, previous, staged or trial.
# TYPE sallyport_release_info gauge
sallyport_release_info{role="current",name="store-platform",version="2.4.0",digest="sha256:aa",slot="B"} 1
sallyport_release_info{role="previous",name="store-platform",version="2.3.0",digest="sha256:bb",slot="A"} 1
# HELP sallyport_release_sequence The sequence of the release in each role.
# TYPE sallyport_release_sequence gauge
sallyport_release_sequence{role="current"} 17
sallyport_release_sequence{role="previous"} 16
# HELP sallyport_rollback_index The sequence below which the site takes no release.
# TYPE sallyport_rollback_index gauge
sallyport_rollback_index 17
# HELP sallyport_phase Where the transaction is.
# TYPE sallyport_phase gauge
sallyport_phase{phase="idle"} 0
sallyport_phase{phase="written"} 1
# HELP sallyport_needs_person Whether a person has to look at the site.
# TYPE sallyport_needs_person gauge
sallyport_needs_person 1
# HELP sallyport_frozen Whether a freeze holds every switch.
# TYPE sallyport_frozen gauge
sallyport_frozen 1
# HELP sallyport_held Whether the staged release waits for a person's approval.
# TYPE sallyport_held gauge
sallyport_held 0
# HELP sallyport_window_open Whether a window is open; absent on a site without windows.
# TYPE sallyport_window_open gauge
sallyport_window_open 0
# HELP sallyport_window_start_timestamp_seconds When the window that is open began, or else the next one begins.
# TYPE sallyport_window_start_timestamp_seconds gauge
sallyport_window_start_timestamp_seconds 1795223580
# HELP sallyport_committed_timestamp_seconds When the current release was committed.
# TYPE sallyport_committed_timestamp_seconds gauge
sallyport_committed_timestamp_seconds 1795223580
# HELP sallyport_transactions_total Transactions that were begun.
# TYPE sallyport_transactions_total counter
sallyport_transactions_total 4
# HELP sallyport_last_attempt_result How the last transaction ended.
# TYPE sallyport_last_attempt_result gauge
sallyport_last_attempt_result{result="committed"} 1
sallyport_last_attempt_result{result="failed"} 0
# HELP sallyport_last_attempt_success Whether the last transaction came to what it was to.
# TYPE sallyport_last_attempt_success gauge
sallyport_last_attempt_success 1
# HELP sallyport_last_attempt_timestamp_seconds When the last transaction ended.
# TYPE sallyport_last_attempt_timestamp_seconds gauge
sallyport_last_attempt_timestamp_seconds 1795223580
# HELP sallyport_last_attempt_duration_seconds How long the last transaction took.
# TYPE sallyport_last_attempt_duration_seconds gauge
sallyport_last_attempt_duration_seconds 250
`

func TestText(t *testing.T) {
	if got := string(Text(busy())); got != busyText {
		t.Errorf("got\n%s", got)
	}
}

// promtool runs Prometheus' own tool.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed (make test installs it)")
	}
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil || args[0] == "check" && args[1] == "metrics" && len(out) > 0 {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

// The text file collector loses a whole file for one type that it does not know, or one bad byte: jail_exporter#287.
func TestPrometheusTakesIt(t *testing.T) {
	bad := busy()
	bad.Program, bad.Releases[0].Version = "a\xff", "\x00\r\"\\"
	for _, s := range []*Site{busy(), {Name: "new", Phase: "idle", Phases: []string{"idle"}}, bad} {
		promtool(t, string(Text(s)), "check", "metrics")
	}
	for line := range strings.Lines(string(Text(busy()))) {
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok && !strings.HasSuffix(kind, " gauge\n") && !strings.HasSuffix(kind, " counter\n") {
			t.Errorf("the text file collector may not know the type in %q", line)
		}
	}
}

// What is not known is left out.
func TestNothingIsKnown(t *testing.T) {
	got := string(Text(&Site{Name: "new"}))
	for _, absent := range []string{"timestamp", "last_attempt", "window", "release_info"} {
		if strings.Contains(got, absent) {
			t.Errorf("it tells %s:\n%s", absent, got)
		}
	}
}

const monitoring = "../../docs/monitoring/"

func TestAlerts(t *testing.T) {
	promtool(t, "", "check", "rules", monitoring+"alerts.yml")
	promtool(t, "", "test", "rules", monitoring+"alerts-test.yml")
	b, err := os.ReadFile(monitoring + "alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	known(t, string(b))
}

// known wants every metric that a text names to be one of the table's.
func known(t *testing.T, text string) {
	t.Helper()
	names := map[string]bool{}
	for _, m := range table {
		names[m.name] = true
	}
	found := regexp.MustCompile(`\bsallyport_[a-z_]+`).FindAllString(text, -1)
	if len(found) == 0 {
		t.Error("it names no metric")
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
}

// TestDashboard has Prometheus read what the dashboard asks, and wants of each panel what Grafana needs to show it.
func TestDashboard(t *testing.T) {
	b, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID, Title    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Type, Title string
			Datasource  struct{ Type, UID string }
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ RefID, Expr string }
		}
		Templating struct{ List []struct{ Name, Type string } }
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	if board.UID == "" || board.Title == "" || board.SchemaVersion < 30 || len(board.Panels) == 0 || len(board.Templating.List) != 2 {
		t.Errorf("it is no dashboard: %+v", board)
	}
	known(t, string(b))
	rules := "groups:\n- name: dashboard\n  rules:\n"
	ids := map[int]bool{}
	var area int
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		area += p.GridPos.W * p.GridPos.H
		for i, target := range p.Targets {
			if target.RefID == "" || target.Expr == "" {
				t.Errorf("panel %d: target %+v", p.ID, target)
			}
			rules += fmt.Sprintf("  - {record: panel:%d_%d, expr: %q}\n", p.ID, i, strings.ReplaceAll(target.Expr, "$instance", ".*"))
		}
	}
	bottom := board.Panels[len(board.Panels)-1].GridPos
	if area != 24*(bottom.Y+bottom.H) {
		t.Errorf("the panels cover %d of %d cells", area, 24*(bottom.Y+bottom.H))
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", path)
}

// The page that people read names every metric.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	known(t, string(b))
	for _, m := range table {
		if !strings.Contains(string(b), "`"+m.name+"`") {
			t.Errorf("operations.md does not tell of %s", m.name)
		}
	}
}
