package grub

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// table is what a block says of the slots.
type table struct {
	order []string // as GRUB looks at them; slots of others among them
	state map[string]slot.State
	mark  string
	// trial is the slot that RAUC's script boots on trial, or has booted so; it does not tell that from a good one.
	trial string
}

// next is the slot that GRUB would boot; empty if none can be.
func (t *table) next() string {
	for _, name := range t.order {
		if s, ours := t.state[name]; ours && (s.Verdict == slot.Good || s.Verdict == slot.Trial && s.Left > 0) {
			return name
		}
	}
	return ""
}

// first puts a slot before all others.
func (t *table) first(name string) {
	t.order = slices.DeleteFunc(t.order, func(n string) bool { return n == name })
	t.order = slices.Insert(t.order, 0, name)
}

// dialect is how the variables of a block are named, and what they mean.
type dialect interface {
	// decode reads the variables. A slot that it knows nothing of is an error.
	decode(b *block, names []string) (*table, error)
	// encode are the variables for a table.
	encode(t *table, names []string) []variable
	// ours tells whether a variable is written by encode for some table.
	ours(name string, names []string) bool
	// tries is how many times a slot on trial can be booted if so many are asked for.
	tries(wanted int) int
	// alone makes of the slot that runs one that is booted again if it is the only one left, and tells whether it can be that.
	alone(t *table, name string) (slot.State, bool)
}

// plain is the dialect of sallyport.cfg.
type plain struct{}

const (
	prefix   = "sallyport_"
	orderVar = prefix + "order"
	markVar  = prefix + "mark"
	// maxMark bounds the mark that is believed, in bytes.
	maxMark = 32
	// maxLeft is the largest number of tries that sallyport.cfg can count.
	maxLeft = 7
)

func stateVar(name string) string { return prefix + name + "_state" }
func leftVar(name string) string  { return prefix + name + "_left" }

func (plain) decode(b *block, names []string) (*table, error) {
	order, err := decodeOrder(b, orderVar, names)
	if err != nil {
		return nil, err
	}
	t := &table{order: order, state: map[string]slot.State{}}
	if len(order) != len(names) {
		return nil, fmt.Errorf("%s names slots that this site does not have: %q", orderVar, clip(strings.Join(order, " ")))
	}
	for _, name := range names {
		verdict, err := want(b, stateVar(name))
		if err != nil {
			return nil, err
		}
		left, err := want(b, leftVar(name))
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(left, 10, 8)
		if err != nil || n > maxLeft || len(left) != 1 {
			return nil, fmt.Errorf("%s is %q, not a number up to %d", leftVar(name), clip(left), maxLeft)
		}
		s := slot.State{Verdict: slot.Verdict(verdict)}
		switch s.Verdict {
		case slot.Trial:
			s.Left = int(n)
		case slot.Good, slot.Bad:
		default:
			return nil, fmt.Errorf("%s is %q, not good, trial or bad", stateVar(name), clip(verdict))
		}
		t.state[name] = s
	}
	t.mark, err = decodeMark(b)
	return t, err
}

func (plain) encode(t *table, names []string) []variable {
	vars := []variable{{orderVar, strings.Join(t.order, " ")}}
	for _, name := range names {
		s := t.state[name]
		vars = append(vars, variable{stateVar(name), string(s.Verdict)}, variable{leftVar(name), strconv.Itoa(s.Left)})
	}
	return append(vars, variable{markVar, t.mark})
}

// ours is every variable of our prefix: one of a slot that was called differently is of no use.
func (plain) ours(name string, _ []string) bool { return strings.HasPrefix(name, prefix) }

func (plain) tries(wanted int) int { return min(wanted, maxLeft) }

func (plain) alone(t *table, name string) (slot.State, bool) {
	return t.state[name], t.state[name].Verdict == slot.Good
}

// want is a variable that must be there.
func want(b *block, name string) (string, error) {
	v, found := b.get(name)
	if !found {
		return "", fmt.Errorf("it has no variable %s", name)
	}
	return v, nil
}

// decodeOrder reads the order of the slots, in which each of ours must be once.
func decodeOrder(b *block, name string, names []string) ([]string, error) {
	text, found := b.get(name)
	if !found {
		return nil, errNoState
	}
	order := strings.Fields(text)
	for _, n := range names {
		if count(order, n) != 1 {
			return nil, fmt.Errorf("%s, which is %q, does not name slot %s once", name, clip(text), n)
		}
	}
	return order, nil
}

func count(list []string, s string) int {
	n := 0
	for _, v := range list {
		if v == s {
			n++
		}
	}
	return n
}

// decodeMark reads the mark; empty if there is none.
func decodeMark(b *block) (string, error) {
	mark, _ := b.get(markVar)
	if len(mark) > maxMark || strings.Trim(mark, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%s is %q, no mark that sallyport makes", markVar, clip(mark))
	}
	return mark, nil
}
