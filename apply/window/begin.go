package window

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// maxSpread is over how much of a long window sites are spread at most.
const maxSpread = 6 * time.Hour

// Begin is when a site begins in the span with what needs so much time: all sites at different instants, one site in every
// pass and after every boot at the same. They are spread over the first half of the time that the span has to spare, so
// that there is some left to try again. A site that was off at its instant begins as soon as it is on.
func (s Span) Begin(site string, need time.Duration) time.Time {
	spread := min(max(s.End.Sub(s.Start)-need, 0)/2, maxSpread)
	return s.Start.Add(time.Duration(fraction(site) * float64(spread)).Truncate(time.Second))
}

// Latest is the last instant at which what needs so much time can begin in the span. It is before Start if the span is
// too short.
func (s Span) Latest(need time.Duration) time.Time { return s.End.Add(-need) }

// fraction makes of a site's name a number that is at least 0 and less than 1.
func fraction(site string) float64 {
	sum := sha256.Sum256([]byte("sallyport window\x00" + site))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}
