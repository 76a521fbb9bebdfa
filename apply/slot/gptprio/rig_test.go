package gptprio_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/gptprio/gptpriotest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
)

func TestLoader(t *testing.T) {
	t.Run("flatcar", func(t *testing.T) { slottest.Run(t, gptpriotest.Open) })
	t.Run("chromeos", func(t *testing.T) { slottest.Run(t, gptpriotest.OpenChromeOS) })
}
