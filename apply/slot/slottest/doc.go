// Package slottest holds what every boot loader of sallyport has to do, whatever it keeps its state in.
//
// A loader's package opens a [Rig] for it: the loader under test, on a place of state in a temporary folder, and a model of the
// boot loader proper that reads the same bytes by a way of its own. The rig stands in a package of its own, so that the tests of
// the whole transaction can use it, too:
//
//	apply/slot/grub/grubtest/rig.go   func Open(t *testing.T, disk durable.Disk) *slottest.Rig
//	apply/slot/grub/rig_test.go       func TestLoader(t *testing.T) { slottest.Run(t, grubtest.Open) }
//
// [Run] then walks the loader through arming, trials, commits and their failures, breaks each step off at each write in each way,
// and lets the model boot what is left.
package slottest
