package grub

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// raucDialect has the variables of the script that RAUC's documentation shows for GRUB. RAUC itself knows no trial: which slot
// is on one stands in a variable of ours, which its tools keep.
type raucDialect struct{}

const (
	raucOrder = "ORDER"
	trialVar  = prefix + "trial"
)

func okVar(name string) string  { return name + "_OK" }
func tryVar(name string) string { return name + "_TRY" }

func (raucDialect) decode(b *block, names []string) (*table, error) {
	order, err := decodeOrder(b, raucOrder, names)
	if err != nil {
		return nil, err
	}
	t := &table{order: order, state: map[string]slot.State{}}
	t.trial, _ = b.get(trialVar)
	for _, name := range names {
		ok, err := flag(b, okVar(name))
		if err != nil {
			return nil, err
		}
		tried, err := flag(b, tryVar(name))
		if err != nil {
			return nil, err
		}
		t.state[name] = raucState(ok, tried, name == t.trial)
	}
	t.mark, err = decodeMark(b)
	return t, err
}

// raucState is what RAUC's script makes of a slot: one that has been tried is passed over until somebody says that it is good.
func raucState(ok, tried, trial bool) slot.State {
	switch {
	case !ok:
		return slot.State{Verdict: slot.Bad}
	case tried:
		return slot.State{Verdict: slot.Trial}
	case trial:
		return slot.State{Verdict: slot.Trial, Left: 1}
	}
	return slot.State{Verdict: slot.Good}
}

func flag(b *block, name string) (bool, error) {
	v, err := want(b, name)
	if err == nil && v != "0" && v != "1" {
		err = fmt.Errorf("%s is %q, not 0 or 1", name, clip(v))
	}
	return v == "1", err
}

func (raucDialect) encode(t *table, names []string) []variable {
	vars := []variable{{raucOrder, strings.Join(t.order, " ")}}
	trial := t.trial
	if t.state[trial].Verdict != slot.Trial {
		trial = ""
	}
	for _, name := range names {
		s := t.state[name]
		ok, tried := "1", "0"
		switch {
		case s.Verdict == slot.Bad:
			ok = "0"
		case s.Verdict == slot.Trial && s.Left == 0:
			tried = "1"
		case s.Verdict == slot.Trial:
			trial = name
		}
		vars = append(vars, variable{okVar(name), ok}, variable{tryVar(name), tried})
	}
	return append(vars, variable{trialVar, trial}, variable{markVar, t.mark})
}

func (raucDialect) ours(name string, names []string) bool {
	return name == raucOrder || strings.HasPrefix(name, prefix) ||
		slices.ContainsFunc(names, func(n string) bool { return name == okVar(n) || name == tryVar(n) })
}

// tries is one: a slot that has been tried once is passed over.
func (raucDialect) tries(int) int { return 1 }

// alone takes the boot of a slot that was good for what it is: were its X_TRY left, RAUC's script would boot the slot that is being
// written. A slot that is on trial has no verdict yet.
func (raucDialect) alone(t *table, name string) (slot.State, bool) {
	s := t.state[name]
	return slot.State{Verdict: slot.Good}, s.Verdict == slot.Good || s.Verdict == slot.Trial && t.trial != name
}
