package uboot

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// The variables; some have the slot's name in them.
const (
	orderVar = "BOOT_ORDER"
	markVar  = "sallyport_mark"
)

func leftVar(boot string) string    { return "BOOT_" + boot + "_LEFT" }
func verdictVar(boot string) string { return "sallyport_" + boot }

// nameSyntax is what can stand in the name of a variable, and as a word of BOOT_ORDER.
var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_]{1,32}$`)

// maxLeft is the highest number of tries: a single digit, which is the same in U-Boot's hexadecimal and in its shell's decimal.
const maxLeft = 7

// table is what the environment says of our slots.
type table struct {
	order []string // slots of others included
	slots map[string]slot.State
}

// readTable reads the slots of those names, and wants everything about them to be as our script would read it.
func readTable(e env, names ...string) (table, error) {
	order, _, err := e.get(orderVar)
	if err != nil {
		return table{}, err
	}
	t := table{order: strings.Fields(order), slots: map[string]slot.State{}}
	for i, name := range t.order {
		if slices.Contains(t.order[:i], name) {
			return table{}, fmt.Errorf("%s=%q names %s twice", orderVar, order, name)
		}
	}
	for _, name := range names {
		if t.slots[name], err = readState(e, name); err != nil {
			return table{}, err
		}
		if !slices.Contains(t.order, name) {
			t.slots[name] = slot.State{Verdict: slot.Bad}
		}
	}
	t.first()
	return t, nil
}

// readState reads a slot, but not whether it is first.
func readState(e env, name string) (s slot.State, err error) {
	verdict, found, err := e.get(verdictVar(name))
	if err != nil {
		return s, err
	}
	left, _, err := e.get(leftVar(name))
	if err != nil {
		return s, err
	}
	switch s.Verdict = slot.Verdict(verdict); {
	case !found:
		s.Verdict = slot.Bad
	case s.Verdict == slot.Good, s.Verdict == slot.Bad:
	case s.Verdict == slot.Trial:
		s.Left, err = strconv.Atoi(left)
		if err != nil || len(left) != 1 || s.Left > maxLeft {
			return s, fmt.Errorf("%s=%q is not a number of tries, 0 to %d", leftVar(name), left, maxLeft)
		}
	default:
		return s, fmt.Errorf("%s=%q is neither good, trial nor bad", verdictVar(name), verdict)
	}
	return s, nil
}

// first marks the slot that the script takes: the first in the order that is good or has a try left.
func (t table) first() {
	for _, name := range t.order {
		s, ours := t.slots[name]
		if ours && (s.Verdict == slot.Good || s.Left > 0) {
			s.First = true
			t.slots[name] = s
			return
		}
	}
}

// disarm makes the script pass over a slot. Its place in the order stays.
func (t table) disarm(e env, name string) env {
	return e.set(leftVar(name), "0").set(verdictVar(name), string(slot.Bad))
}

// arm puts a slot first, on trial.
func (t table) arm(e env, name string, tries int) env {
	return t.lead(e, name).set(leftVar(name), strconv.Itoa(tries)).set(verdictVar(name), string(slot.Trial))
}

// commit puts a slot first, as good.
func (t table) commit(e env, name string, tries int) env {
	return t.lead(e, name).set(leftVar(name), strconv.Itoa(tries)).set(verdictVar(name), string(slot.Good))
}

// lead puts a slot first in the order.
func (t table) lead(e env, name string) env {
	order := []string{name}
	for _, other := range t.order {
		if other != name {
			order = append(order, other)
		}
	}
	return e.set(orderVar, strings.Join(order, " "))
}
