package apply

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// size prints bytes in B, kB, MB, GB (10³) to three figures.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if v /= 1000; v < 999.5 {
			break
		}
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

// seconds prints a span of time to three figures.
func seconds(s float64) string { return fmt.Sprintf("%.3g s", s) }

// oneLine makes text fit for the journal and for a line of output.
func oneLine(s string) string { return oneline.Clean(s, 1000) }
