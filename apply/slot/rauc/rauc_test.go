package rauc_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/rauc/rauctest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
)

func TestLoader(t *testing.T) { slottest.Run(t, rauctest.Open) }
