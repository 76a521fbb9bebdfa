package gptprio

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// Places in an entry (UEFI specification 2.10, table 5.6), in bytes.
const (
	atType       = 0
	atUnique     = 16
	atEntryFirst = 32
	atEntryLast  = 40
	atAttributes = 48
	atName       = 56
	nameUnits    = 36
	guidSize     = 16
)

// The bits of the attributes that are ours.
const (
	priorityShift   = 48
	triesShift      = 52
	successfulShift = 56
	maxPriority     = 15
	maxTries        = 15
	ours            = uint64(0x1ff) << priorityShift
)

// kinds are the types of the partitions that loaders choose among.
var kinds = map[string]string{
	"fe3a2a5d-4f32-41a7-b725-accc3285a309": "a kernel of ChromeOS",
	"5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6": "/usr of Flatcar",
	"6b636168-7420-6568-2070-6c616e657421": "/boot of Bottlerocket",
}

// entry is one entry of the array.
type entry []byte

func (e entry) used() bool { return [guidSize]byte(e[atType:]) != [guidSize]byte{} }

func (e entry) attributes() uint64 { return binary.LittleEndian.Uint64(e[atAttributes:]) }

func (e entry) bits(shift int, most uint64) int { return int(e.attributes() >> shift & most) }

func (e entry) priority() int    { return e.bits(priorityShift, maxPriority) }
func (e entry) tries() int       { return e.bits(triesShift, maxTries) }
func (e entry) successful() bool { return e.bits(successfulShift, 1) == 1 }

// set changes the bits that are ours.
func (e entry) set(priority, tries int, successful bool) {
	a := e.attributes()&^ours | uint64(priority)<<priorityShift | uint64(tries)<<triesShift
	if successful {
		a |= 1 << successfulShift
	}
	binary.LittleEndian.PutUint64(e[atAttributes:], a)
}

// bootable tells whether a loader would take it, if there were no other.
func (e entry) bootable() bool { return e.priority() > 0 && (e.successful() || e.tries() > 0) }

// state is what a loader will do with it, but not whether it is the first.
func (e entry) state() slot.State {
	switch {
	case e.priority() == 0:
		return slot.State{Verdict: slot.Bad}
	case e.successful():
		return slot.State{Verdict: slot.Good}
	}
	return slot.State{Verdict: slot.Trial, Left: e.tries()}
}

func (e entry) name() string {
	var units []uint16
	for i := range nameUnits {
		u := binary.LittleEndian.Uint16(e[atName+2*i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

func (e entry) kind() string   { return guid(e[atType:]) }
func (e entry) unique() string { return guid(e[atUnique:]) }

// guid is the text of a GUID, whose first three fields are little-endian.
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

// table is the entries of a copy.
type table []entry

// parseTable splits the array of a copy, and looks at each entry in use.
func parseTable(c *gptCopy, array []byte) (table, error) {
	size := int(c.u32(atEntrySize))
	var t table
	for i := range int(c.u32(atCount)) {
		e := entry(array[i*size : (i+1)*size])
		first, last := binary.LittleEndian.Uint64(e[atEntryFirst:]), binary.LittleEndian.Uint64(e[atEntryLast:])
		if e.used() && (first > last || first < c.u64(atFirst) || last > c.u64(atLast)) {
			return nil, fmt.Errorf("partition %d lies at the sectors %d to %d, where none can be", i+1, first, last)
		}
		t = append(t, e)
	}
	return t, nil
}
