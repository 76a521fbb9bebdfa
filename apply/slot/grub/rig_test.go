package grub_test

import (
	"maps"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
)

func TestLoader(t *testing.T) { slottest.Run(t, grubtest.Open) }

func TestLoaderRAUC(t *testing.T) { slottest.Run(t, grubtest.OpenRAUC) }

// What we read of a block is what GRUB reads of it.
func FuzzReadsAsGRUB(f *testing.F) {
	f.Add(grubtest.Block("a=b", "# c=d", `e=f\\g\`, "h"))
	f.Add(grubtest.Block(`# a\`, "b=c", "d=e=f"))
	f.Add(grubtest.Block("a", "b=c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := grub.Variables(data)
		if err != nil {
			return
		}
		want, err := grubtest.Load(data)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("we read %q, and GRUB %q (%v)", got, want, err)
		}
	})
}
