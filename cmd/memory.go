package cmd

import (
	"os"
	"runtime/debug"

	"github.com/sallyport-dev/sallyport/internal/pages"
)

// siteMemory is how much memory the garbage collector lets the heap have, in bytes, before it works harder. Pages of the
// program itself are there beside it, some 27 MiB, and all of it has to do with the 96 MiB that a small site can spare.
// It only makes the collector work: that a hostile bundle cannot fill them, the limits of the format see to. $GOMEMLIMIT
// goes before it.
const siteMemory = 64 << 20

// frugal is for verbs that a small site runs and that read what nobody vouches for.
func frugal() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(siteMemory)
	}
	pages.Drop() // those that only the start needed
}
