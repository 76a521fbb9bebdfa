package cmd

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/slot"
)

func (p *program) statusVerb() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what the site runs and how it is",
		Long: `Say what the site runs, what it can go back to, how the last attempt ended, and what is lost or damaged: it reads both
slots, asks the mirror for every image of their releases, and the target for objects that differ from the release that
runs, for five seconds at most. It changes nothing and takes no lock, so it answers at any time, while another sallyport
works too. The state is for the site's owner alone, usually root. Exit status 0 whatever it finds: "needsPerson" tells.

With --watch it goes on until Ctrl-C, and says so anew whenever something changes; with --json each is a line of its own.`,
		Example: "  sallyport status --json",
		Args:    args(),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := p.openSite()
			if err != nil {
				return err
			}
			if watch {
				return p.watchStatus(c.Context(), s)
			}
			return p.status(c.Context(), s)
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "go on, and say so anew whenever something changes")
	return exits(c)
}

const (
	// watchTime is how often the state is looked at for a change, which costs next to nothing.
	watchTime = time.Second
	// askTime is how often mirror and target are asked, whatever the state says.
	askTime = 30 * time.Second
)

// watchStatus tells the status whenever it changes, until ctx ends, which is no failure.
func (p *program) watchStatus(ctx context.Context, s *apply.Site) error {
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	var stamp string
	var asked time.Time
	var told *apply.Status
	for ; ctx.Err() == nil; next(ctx, tick) {
		now := s.Stamp()
		if told != nil && now == stamp && time.Since(asked) < askTime {
			continue
		}
		stamp, asked = now, time.Now()
		st, err := s.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case reflect.DeepEqual(st, told):
			continue
		case told != nil && !p.flags.json:
			p.ui.afresh()
		}
		told = st
		if err := p.tellStatus(s, st); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a tick, or the end of ctx.
func next(ctx context.Context, tick *time.Ticker) {
	select {
	case <-tick.C:
	case <-ctx.Done():
	}
}

func (p *program) status(ctx context.Context, s *apply.Site) error {
	st, err := s.Look(ctx)
	if err != nil {
		return err
	}
	return p.tellStatus(s, st)
}

func (p *program) tellStatus(s *apply.Site, st *apply.Status) error {
	if p.flags.json {
		return p.object(st)
	}
	p.printStatus(s, st)
	return nil
}

func (p *program) printStatus(s *apply.Site, st *apply.Status) {
	line := p.ui.line
	cfg := s.Config()
	if st.NeedsPerson {
		p.ui.print("needs a person: %s\n", st.Person)
	}
	for _, problem := range st.Problems {
		if problem.String() != st.Person {
			p.ui.print("and: %s\n", problem)
		}
	}
	line("site", "%s%s", st.Site, labels(cfg.Metadata.Labels))
	if st.Current == nil {
		line("runs", "no release yet")
	} else {
		since := ""
		if st.Since != nil {
			since = ", since " + clock(*st.Since)
		}
		line("runs", "%s (sequence %d) in slot %s%s", st.Current, st.Current.Sequence, st.Current.Slot, since)
	}
	if st.Current != nil && len(st.Current.Overlays) > 0 {
		line("overlays", "%s", strings.Join(st.Current.Overlays, ", "))
	}
	if st.Relabelled != "" {
		line("labels", "%s: sallyport apply BUNDLE takes them", st.Relabelled)
	}
	if st.Takes != "" && (st.Current == nil || st.Current.Name != st.Takes) {
		line("takes", "releases of %s", st.Takes)
	}
	if st.Previous != nil {
		line("before", "%s in slot %s, ready to roll back to", st.Previous, st.Previous.Slot)
	}
	if st.Staged != nil && st.Phase == apply.Written {
		line("staged", "%s: sallyport apply --staged switches to it", st.Staged)
	}
	if a := st.Attempt; a != nil && st.Phase != apply.Written {
		line("tries", "%s %s since %s, %s: %s", a.Verb, a.Release, clock(a.Began), st.Phase.Words(), atWork(st.Health))
	} else if st.Busy != "" {
		line("at work", "another sallyport: %s", st.Busy)
	}
	if b := st.PutBack; b != nil {
		line("put back", "%s, by a person on %s: only sallyport apply --retry takes it again", b.Release, clock(b.At))
	}
	if st.Boot != nil {
		line("boot", "%s", bootWords(st.Boot))
	}
	if m := cfg.Spec.Mirror; m.Embedded() {
		line("mirror", "%s, served at http://%s: %s", m.Dir, m.Listen, st.Mirror)
	} else {
		line("mirror", "%s: %s", m.URL, st.Mirror)
	}
	if st.Unrestored != "" {
		line("rollback", "not finished, for another release was to come: sallyport confirm tries again")
	}
	p.left(st.Left, st.Leaving)
	if st.Current != nil {
		p.printDrift(st)
	}
	p.printTiming(st)
	if a := st.LastAttempted; a != nil {
		line("last try", "%s", attempt(a))
	}
}

// printTiming tells what holds the site, and when it may switch.
func (p *program) printTiming(st *apply.Status) {
	if st.Frozen {
		lift := ": sallyport unfreeze lifts it"
		if st.Freeze.Signer != nil {
			lift = ""
		}
		p.ui.line("frozen", "%s%s", st.Freeze, lift)
	}
	if st.Held {
		p.ui.line("holds", "%s waits for a person: sallyport approve", st.Staged)
	}
	switch {
	case st.NextWindow == nil:
	case st.WindowOpen:
		p.ui.line("window", "open since %s, until %s", moments(*st.NextWindow), moments(*st.WindowEnds))
	default:
		p.ui.line("window", "next %s until %s", moments(*st.NextWindow), moments(*st.WindowEnds))
	}
}

// moments are told by the clocks of their own zone, with the day.
func moments(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// bootWords tell what the boot loader does with its slots: "slot A runs and is good; slot B is on trial, 2 tries left".
func bootWords(b *apply.BootStatus) string {
	var all []string
	for _, s := range []struct {
		name  slot.Name
		state *slot.State
	}{{slot.A, b.A}, {slot.B, b.B}} {
		text := "slot " + s.name.String()
		if s.name == b.Running {
			text += " runs and"
		}
		switch {
		case s.state == nil:
			text += " is not known to the boot loader"
		case s.state.Verdict == slot.Trial:
			text += fmt.Sprintf(" is on trial, %d tries left", s.state.Left)
		default:
			text += " is " + string(s.state.Verdict)
		}
		all = append(all, text)
	}
	if b.RebootDue {
		all = append(all, "a reboot is due")
	}
	if b.Deadline != nil {
		all = append(all, "to be confirmed by "+clock(*b.Deadline))
	}
	return strings.Join(all, "; ")
}

// atWork tells whether anybody is at the transaction under way. Only the site's owner gets to know.
func atWork(h *apply.Health) string {
	switch {
	case h.Busy != "":
		return h.Busy + ", is at it now"
	case h.Free:
		return "nobody is at it: sallyport confirm finishes or undoes it"
	}
	return "sallyport confirm finishes or undoes it, unless another sallyport is at it now"
}

// attempt tells how an attempt ended, and why.
func attempt(a *apply.Attempt) string {
	text := fmt.Sprintf("%s: %s %s (%s)", a.Version, outcome(a.Result), clock(a.Ended), span(a.Ended.Sub(a.Began)))
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text
}

// outcome is a result in people's words.
func outcome(result string) string {
	switch result {
	case apply.ResultRolledBack:
		return "rolled back"
	case "needsPerson":
		return "needs a person"
	}
	return result
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func labels(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	var all []string
	for k, v := range m {
		all = append(all, k+" "+v)
	}
	slices.Sort(all)
	return " (" + strings.Join(all, ", ") + ")"
}

func (p *program) historyVerb() *cobra.Command {
	return exits(&cobra.Command{
		Use:     "history",
		Short:   "List every attempt to change the site's release, and how it ended",
		Long:    "List every attempt to change the site's release, oldest first: when, by which verb, how it ended and why.",
		Example: "  sallyport history",
		Args:    args(),
		RunE:    func(*cobra.Command, []string) error { return p.history() },
	})
}

func (p *program) history() error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	h, err := s.History()
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(h)
	}
	if len(h.Attempts) == 0 {
		p.ui.fine("%s has no history yet.\n", h.Site)
	}
	t := p.ui.table(2)
	for _, a := range h.Attempts {
		t.row("%s\t%s\t%s\t%s\t%s\t%s", clock(a.Ended), a.Verb, a.Release, outcome(a.Result), span(a.Ended.Sub(a.Began)), a.Reason)
	}
	t.print()
	if h.Damaged > 0 {
		p.ui.print("%s of the history cannot be read.\n", plural(h.Damaged, "line"))
	}
	return nil
}
