package window

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a site may have no zone data of its own
)

// loadZone returns a zone by its name in the IANA data. Names that mean another zone on another machine are none.
func loadZone(name string) (*time.Location, error) {
	odd := slices.Contains([]string{"", "Local", "localtime", "Factory", "posixrules"}, name) ||
		strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/")
	if zone, err := time.LoadLocation(name); err == nil && !odd {
		return zone, nil
	}
	return nil, &Error{fmt.Sprintf("%q is not a time zone", name), "write a name of the IANA data, such as Europe/Budapest, or UTC"}
}

// day counts days from 1970-01-01, whatever the zone.
type day int64

const (
	daySeconds = 24 * 60 * 60
	dayMinutes = 24 * 60
)

// dayOf is the date at t, on the clocks of t's zone.
func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / daySeconds)
}

func (d day) utc() time.Time { return time.Unix(int64(d)*daySeconds, 0).UTC() }

func (d day) weekday() time.Weekday { return d.utc().Weekday() }

// at is the instant at which the clocks of zone show the day's minute for the first time. Where they skip it, it is that of
// the skip.
func (d day) at(minute int, zone *time.Location) time.Time {
	wall := int64(d)*daySeconds + int64(minute)*60
	// No zone is more than 26 hours off, so the search begins early enough.
	period := time.Unix(wall-26*60*60, 0).In(zone)
	for {
		start, end := period.ZoneBounds()
		_, offset := period.Zone()
		t := time.Unix(wall-int64(offset), 0).In(zone)
		if !end.IsZero() && !t.Before(end) {
			period = end
			continue
		}
		if !start.IsZero() && t.Before(start) {
			return start
		}
		return t
	}
}

// exists tells whether the zone has the day: Samoa went from a Thursday to a Saturday once.
func (d day) exists(zone *time.Location) bool { return d.at(0, zone).Before((d + 1).at(0, zone)) }
