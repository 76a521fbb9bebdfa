package gptprio

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// find returns the number of a slot's partition, which is given by its label, or else by its number.
func (t table) find(name string) (int, error) {
	at := -1
	for i, e := range t {
		if e.used() && e.name() == name {
			if at >= 0 {
				return 0, fmt.Errorf("the partitions %d and %d are both labelled %s", at+1, i+1, name)
			}
			at = i
		}
	}
	if at >= 0 {
		return at, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= len(t) && t[n-1].used() && strconv.Itoa(n) == name {
		return n - 1, nil
	}
	return 0, fmt.Errorf("no partition is labelled %s", name)
}

// pair are the partitions of the two slots, among those that a loader chooses from.
type pair struct {
	table table
	at    map[slot.Name]int
	names slot.BootNames
}

func (t table) pair(names slot.BootNames) (pair, error) {
	p := pair{t, map[slot.Name]int{}, names}
	for _, n := range []slot.Name{slot.A, slot.B} {
		at, err := t.find(names.Of(n))
		if err != nil {
			return p, err
		}
		if kinds[t[at].kind()] == "" {
			return p, fmt.Errorf("partition %d (%s) is of the type %s, of which no loader reads priorities", at+1, names.Of(n), t[at].kind())
		}
		p.at[n] = at
	}
	a, b := p.of(slot.A), p.of(slot.B)
	switch {
	case p.at[slot.A] == p.at[slot.B]:
		return p, fmt.Errorf("%s and %s are one partition", names.A, names.B)
	case a.kind() != b.kind():
		return p, fmt.Errorf("%s is %s, and %s is %s", names.A, kinds[a.kind()], names.B, kinds[b.kind()])
	case a.unique() == b.unique():
		return p, fmt.Errorf("%s and %s have one GUID, %s: the command line could not tell them apart", names.A, names.B, a.unique())
	}
	return p, nil
}

func (p pair) of(n slot.Name) entry { return p.table[p.at[n]] }

// rivals are the partitions of the slots' type.
func (p pair) rivals() []int {
	var all []int
	for i, e := range p.table {
		if e.used() && e.kind() == p.of(slot.A).kind() {
			all = append(all, i)
		}
	}
	return all
}

// state tells what a loader will do with a slot.
func (p pair) state(n slot.Name) slot.State {
	s := p.of(n).state()
	first := -1
	for _, i := range p.rivals() {
		if e := p.table[i]; e.bootable() && (first < 0 || e.priority() > p.table[first].priority()) {
			first = i
		}
	}
	s.First = first == p.at[n]
	return s
}

// lead gives a slot the highest priority. The others' are moved together only if there is no room above them.
func (p pair) lead(n slot.Name, tries int, successful bool) error {
	top := p.highestRival(n)
	if top == maxPriority {
		p.lower(n)
		if top = p.highestRival(n); top == maxPriority {
			return fmt.Errorf("there is no priority above those of the other partitions, of which each of 1 to %d is taken", maxPriority)
		}
	}
	p.of(n).set(top+1, tries, successful)
	return nil
}

func (p pair) highestRival(n slot.Name) (top int) {
	for _, i := range p.rivals() {
		if i != p.at[n] {
			top = max(top, p.table[i].priority())
		}
	}
	return top
}

// lower gives the rivals of a slot the lowest priorities that keep their order.
func (p pair) lower(n slot.Name) {
	var used []int
	for _, i := range p.rivals() {
		if pr := p.table[i].priority(); i != p.at[n] && pr > 0 && !slices.Contains(used, pr) {
			used = append(used, pr)
		}
	}
	slices.Sort(used)
	for _, i := range p.rivals() {
		if e := p.table[i]; i != p.at[n] && e.priority() > 0 {
			e.set(slices.Index(used, e.priority())+1, e.tries(), e.successful())
		}
	}
}
