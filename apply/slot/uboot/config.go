package uboot

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// place is where one copy of the environment lies.
type place struct {
	device string
	offset int64 // in bytes, from the end if it is negative
	size   int64 // bytes of the copy, its header included
	sector int64 // bytes of an erase block; 0 if the line does not tell
	blocks int64 // erase blocks in which to look for good ones; 0 if the line does not tell
	noLock bool  // leave the locks of the flash alone
}

// Limits of fw_env.config and of what it describes.
const (
	maxConfig  = 64 << 10
	maxLine    = 127 // what fw_printenv reads of a line
	minSize    = 16
	maxSize    = 4 << 20
	maxSector  = 16 << 20
	maxBlocks  = 1024
	maxPlaces  = 2
	minFields  = 3
	maxFields  = 6
	hexPrefix  = "0x"
	lockFields = "01"
)

// How fw_printenv reads numbers: an offset as C writes it, with its base in front; everything else hexadecimal, with 0x or without.
var (
	offsetSyntax = regexp.MustCompile(`^-?(0[xX][0-9a-fA-F]{1,15}|0[0-7]{0,20}|[1-9][0-9]{0,17})$`)
	hexSyntax    = regexp.MustCompile(`^(0[xX])?[0-9a-fA-F]{1,15}$`)
)

// parseConfig reads fw_env.config: one line for each copy. fw_printenv skips a line that it does not understand, and then takes one
// copy for the whole; here that is an error.
func parseConfig(data []byte) ([]place, error) {
	var places []place
	for i, line := range strings.Split(string(data), "\n") {
		fields := fieldsOf(line)
		if len(fields) == 0 {
			continue
		}
		p, err := parsePlace(line, fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		places = append(places, p)
	}
	if len(places) == 0 {
		return nil, errors.New("it names no place of the environment")
	}
	if len(places) > maxPlaces {
		return nil, fmt.Errorf("it names %d places; an environment has one or two", len(places))
	}
	return places, checkPair(places)
}

// fieldsOf are the words of a line before a comment.
func fieldsOf(line string) []string {
	fields := strings.Fields(line)
	for i, f := range fields {
		if strings.HasPrefix(f, "#") {
			return fields[:i]
		}
	}
	return fields
}

func parsePlace(line string, fields []string) (p place, err error) {
	switch {
	case len(line) > maxLine:
		return p, fmt.Errorf("it is longer than %d bytes, of which fw_printenv would make two lines", maxLine)
	case len(fields) < minFields || len(fields) > maxFields:
		return p, fmt.Errorf("it has %d fields; a place is a device, an offset and a size, then the size and number of its erase blocks", len(fields))
	case !offsetSyntax.MatchString(fields[1]):
		return p, fmt.Errorf("the offset %q is not a number", fields[1])
	}
	p.device = fields[0]
	if p.offset, err = strconv.ParseInt(fields[1], 0, 64); err != nil {
		return p, fmt.Errorf("the offset %q is not a number", fields[1])
	}
	if p.size, err = hexField("size", fields[2], minSize, maxSize); err != nil {
		return p, err
	}
	if len(fields) > 3 {
		if p.sector, err = hexField("size of an erase block", fields[3], 0, maxSector); err != nil {
			return p, err
		}
	}
	if len(fields) > 4 {
		if p.blocks, err = hexField("number of erase blocks", fields[4], 0, maxBlocks); err != nil {
			return p, err
		}
	}
	if len(fields) > 5 {
		if len(fields[5]) != 1 || !strings.Contains(lockFields, fields[5]) {
			return p, fmt.Errorf("the last field is %q, not 0 or 1", fields[5])
		}
		p.noLock = fields[5] == "1"
	}
	return p, nil
}

func hexField(what, text string, least, most int64) (int64, error) {
	if !hexSyntax.MatchString(text) {
		return 0, fmt.Errorf("the %s %q is not a hexadecimal number", what, text)
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(strings.ToLower(text), hexPrefix), 16, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("the %s is 0x%x, not 0x%x to 0x%x", what, n, least, most)
	}
	return n, nil
}

// checkPair wants two copies to be of one size and in two places.
func checkPair(places []place) error {
	if len(places) < maxPlaces {
		return nil
	}
	a, b := places[0], places[1]
	switch {
	case a.size != b.size:
		return fmt.Errorf("the copies are 0x%x and 0x%x bytes long; they must be of one size", a.size, b.size)
	case a.device != b.device || (a.offset < 0) != (b.offset < 0):
		return nil
	case a.offset < b.offset+b.span() && b.offset < a.offset+a.span():
		return errors.New("the two copies overlap: a write of one would destroy the other")
	}
	return nil
}

// span is how many bytes a place may take up, all the erase blocks in which it may lie included.
func (p place) span() int64 { return max(p.size, p.sector*p.blocks) }
