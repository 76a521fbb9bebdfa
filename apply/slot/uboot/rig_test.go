package uboot_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot/uboottest"
)

func TestLoader(t *testing.T) {
	t.Run("files", func(t *testing.T) { slottest.Run(t, uboottest.Open) })
	t.Run("disk", func(t *testing.T) { slottest.Run(t, uboottest.OpenDisk) })
}
