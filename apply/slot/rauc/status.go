package rauc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// status is what RAUC says of the machine.
type status struct {
	Booted  string `json:"booted"`       // the bootname that the machine was booted by
	Primary string `json:"boot_primary"` // the slot that is booted next, by RAUC's name
	// List holds objects of one member each: RAUC's name of a slot, and the slot.
	List []map[string]slotStatus `json:"slots"`

	slots map[string]slotStatus
}

// slotStatus is what RAUC says of a slot.
type slotStatus struct {
	BootName string `json:"bootname"`
	Boot     string `json:"boot_status"` // good or bad
	// Kept is what RAUC remembers of the last installation, if its system.conf names a statusfile.
	Kept struct {
		Status    string `json:"status"`
		Installed struct {
			Timestamp string `json:"timestamp"`
			Count     uint32 `json:"count"`
		} `json:"installed"`
	} `json:"slot_status"`
}

// status asks RAUC about all its slots, which asks the boot loader.
func (c client) status(ctx context.Context) (*status, error) {
	b, err := c.run(ctx, answer, "status", "--detailed", "--output-format=json")
	if err != nil {
		return nil, err
	}
	return parseStatus(b)
}

// parseStatus wants the whole output to be one status.
func parseStatus(b []byte) (*status, error) {
	var s status
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("RAUC's status is not what it should be: %w", err)
	}
	s.slots = map[string]slotStatus{}
	for _, one := range s.List {
		for name, slot := range one {
			if _, twice := s.slots[name]; twice || name == "" {
				return nil, fmt.Errorf("RAUC's status has slot %q more than once", name)
			}
			s.slots[name] = slot
		}
	}
	if len(s.slots) == 0 {
		return nil, errors.New("RAUC's status has no slots")
	}
	return &s, nil
}

// named is the one slot that the boot loader has by that name.
func (s *status) named(bootname string) (rauc string, one slotStatus, err error) {
	found := 0
	for name, slot := range s.slots {
		if slot.BootName == bootname && bootname != "" {
			rauc, one = name, slot
			found++
		}
	}
	if found != 1 {
		return "", slotStatus{}, fmt.Errorf("RAUC's system.conf has %d slots with bootname=%s, not one", found, bootname)
	}
	return rauc, one, nil
}

// good tells whether RAUC calls a slot good.
func (s *status) good(bootname string) (bool, error) {
	rauc, one, err := s.named(bootname)
	switch {
	case err != nil:
		return false, err
	case one.Boot == "good" || one.Boot == "bad":
		return one.Boot == "good", nil
	}
	return false, fmt.Errorf("RAUC calls slot %s %q, which is neither good nor bad", rauc, one.Boot)
}
