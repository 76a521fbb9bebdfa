package kube

import "slices"

// CheckHealth returns nil if every object is current, else an *UnhealthyError.
func CheckHealth(statuses []ObjectStatus) error {
	bad := slices.Clone(statuses)
	bad = slices.DeleteFunc(bad, func(s ObjectStatus) bool { return s.Status == Current })
	if len(bad) == 0 {
		return nil
	}
	slices.SortStableFunc(bad, func(a, b ObjectStatus) int { return urgency(a) - urgency(b) })
	return &UnhealthyError{Total: len(statuses), Unhealthy: bad}
}

func urgency(s ObjectStatus) int {
	return slices.Index([]Status{Unknown, Failed, NotFound, Terminating, InProgress}, s.Status)
}
