package delta

import "bytes"

// findRules finds how the times of most changed headers changed.
func (p *planner) findRules(matches []int) error {
	votes := map[timeRule]int{}
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
		t1, ok1 := parseOctal(now[tarTime : tarTime+tarTimeDigits])
		t0, ok0 := parseOctal(then[tarTime : tarTime+tarTimeDigits])
		if ok0 && ok1 && t0 != t1 {
			votes[timeRule{shift: true, value: t1 - t0}]++
			votes[timeRule{value: t1}]++
		}
	}
	for _, shift := range []bool{true, false} {
		if rule, n := mostVoted(votes, shift); n > 1 {
			p.rules = append(p.rules, rule)
		}
	}
	return nil
}

// mostVoted returns the rule of one mode that explains the most headers; of equals the smallest.
func mostVoted(votes map[timeRule]int, shift bool) (best timeRule, most int) {
	for rule, n := range votes {
		if rule.shift == shift && (n > most || n == most && rule.value < best.value) {
			best, most = rule, n
		}
	}
	return best, most
}

// ruleFor returns the rule that makes now out of then.
func (p *planner) ruleFor(now, then []byte) (timeRule, bool) {
	for _, rule := range p.rules {
		if bytes.Equal(restamped(rule, then), now) {
			return rule, true
		}
	}
	return timeRule{}, false
}

// restamped returns headers as a site's restamp makes them out of old ones.
func restamped(rule timeRule, headers []byte) []byte {
	out := bytes.Clone(headers)
	for at := int64(0); at <= int64(len(out))-tarBlock; {
		at += tarBlock + rule.apply(out[at:at+tarBlock])
	}
	return out
}
