package efi_test

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/efi/efitest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
)

func TestLoader(t *testing.T) { slottest.Run(t, efitest.Open) }
