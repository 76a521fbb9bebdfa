package systemdboot_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot/systemdboottest"
)

func TestLoader(t *testing.T)       { slottest.Run(t, systemdboottest.Open) }
func TestLoaderImages(t *testing.T) { slottest.Run(t, systemdboottest.OpenImages) }
