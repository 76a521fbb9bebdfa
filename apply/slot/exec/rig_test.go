package exec_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/exec/exectest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
)

func TestLoader(t *testing.T) { slottest.Run(t, exectest.Open) }
