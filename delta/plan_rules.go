package delta

import (
	"bytes"
	"slices"
)

// findRules finds how the times and owners of most changed headers changed.
func (p *planner) findRules(matches []int) error {
	var votes [len(stampFields)]map[stamp]int
	for i := range votes {
		votes[i] = map[stamp]int{}
	}
	for i, m := range p.members {
		if matches[i] < 0 || m.content-m.start < tarBlock {
			continue
		}
		old := p.c.members[matches[i]]
		if old.content-old.start < tarBlock {
			continue
		}
		var now, then [tarBlock]byte
		if err := p.readBoth(now[:], m.content-tarBlock, then[:], p.c.address(old, old.content-tarBlock)); err != nil {
			return err
		}
		for i, f := range stampFields {
			v1, ok1 := parseOctal(now[f.offset:][:f.digits])
			v0, ok0 := parseOctal(then[f.offset:][:f.digits])
			if ok0 && ok1 && v0 != v1 {
				votes[i][stamp{stampShift, v1 - v0}]++
				votes[i][stamp{stampSet, v1}]++
			}
		}
	}
	p.rules = rules(votes)
	return nil
}

// rules returns the rules that votes suggest: of times in both ways, with and without owners.
func rules(votes [len(stampFields)]map[stamp]int) (list []stampRule) {
	var owners stampRule
	for i := range owners {
		shift, shifts := mostVoted(votes[i], stampShift)
		set, sets := mostVoted(votes[i], stampSet)
		if max(shifts, sets) <= 1 {
			continue
		}
		if i > 0 {
			if owners[i] = set; shifts > sets {
				owners[i] = shift
			}
			continue
		}
		for _, s := range []stamp{shift, set} {
			list = append(list, stampRule{s})
		}
	}
	if owners == (stampRule{}) {
		return list
	}
	for _, r := range slices.Clone(list) {
		with := owners
		with[0] = r[0]
		list = append([]stampRule{with}, list...)
	}
	return append(list, owners)
}

// mostVoted returns the stamp of one mode that explains the most headers; of equals the smallest.
func mostVoted(votes map[stamp]int, mode stampMode) (best stamp, most int) {
	for s, n := range votes {
		if s.mode == mode && (n > most || n == most && s.value < best.value) {
			best, most = s, n
		}
	}
	return best, most
}

// ruleFor returns the rule that makes now out of then. The one that worked last comes first, as one
// operation has one rule.
func (p *planner) ruleFor(now, then []byte) (stampRule, bool) {
	for i, rule := range p.rules {
		if bytes.Equal(restamped(rule, then), now) {
			copy(p.rules[1:i+1], p.rules[:i])
			p.rules[0] = rule
			return rule, true
		}
	}
	return stampRule{}, false
}

// restamped returns headers as a site's restamp makes them out of old ones.
func restamped(rule stampRule, headers []byte) []byte {
	out := bytes.Clone(headers)
	for at := int64(0); at <= int64(len(out))-tarBlock; {
		at += tarBlock + rule.apply(out[at:at+tarBlock])
	}
	return out
}
