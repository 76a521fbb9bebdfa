package apply

import (
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const backendGPTPrio = "gptprio"

// GPTPrioConfig says on which disk the slots' partitions are.
type GPTPrioConfig struct {
	// Disk is the whole disk whose GPT the boot loader reads.
	Disk string `json:"disk"`
}

func checkGPTPrio(s *SlotsConfig, fail failFunc) {
	if s.GPTPrio == nil || s.GPTPrio.Disk == "" {
		fail("spec.slots.gptprio.disk", "is missing", "name the whole disk whose partitions the slots are, as in gptprio: {disk: /dev/disk/by-id/…}")
	}
}

func openGPTPrio(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error) {
	return gptprio.New(gptprio.Config{Device: s.GPTPrio.Disk, Names: names, Tries: s.Tries, Host: h, Disk: disk})
}
