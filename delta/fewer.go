package delta

// fewer makes segments at most limit by turning short copies into literals, the shortest first as far
// as powers of two tell them apart; ok is false where that does not do.
func fewer(segments []segment, limit int) (list []segment, ok bool) {
	for least := 16; len(segments) > limit; least *= 2 {
		if least > 1<<20 {
			return nil, false
		}
		var out []segment
		for _, s := range segments {
			if s.length < least {
				s.from = literal
			}
			if n := len(out); n > 0 && s.from < 0 && out[n-1].from < 0 {
				out[n-1].length += s.length
				continue
			}
			out = append(out, s)
		}
		segments = out
	}
	return segments, true
}
