package window

import (
	"testing"
	"time"
)

// plan parses windows, and blackouts behind the word "but".
func plan(t *testing.T, texts ...string) Plan {
	t.Helper()
	var p Plan
	blackouts := false
	for _, text := range texts {
		if text == "but" {
			blackouts = true
			continue
		}
		var err error
		if blackouts {
			var b Blackout
			b, err = ParseBlackout(text)
			p.Blackouts = append(p.Blackouts, b)
		} else {
			var w Window
			w, err = Parse(text)
			p.Windows = append(p.Windows, w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestNext asks for the first span with enough time left. Trap zincati#301, scylla-manager#3085: windows are longer, shorter or
// absent when clocks change.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name       string
		plan       Plan
		at         string
		need       time.Duration
		start, end string // RFC 3339; empty: none; an end like the start: any
	}{
		{"later this week", plan(t, "Sat,Sun 02:00-04:00 Europe/Budapest"), "2026-11-18T12:00:00Z", time.Hour,
			"2026-11-21T02:00:00+01:00", "2026-11-21T04:00:00+01:00"},
		{"one that is open", plan(t, "Sat,Sun 02:00-04:00 Europe/Budapest"), "2026-11-21T02:30:00+01:00", time.Hour,
			"2026-11-21T02:00:00+01:00", "2026-11-21T04:00:00+01:00"},
		{"too little of it is left", plan(t, "Sat,Sun 02:00-04:00 Europe/Budapest"), "2026-11-21T03:30:00+01:00", time.Hour,
			"2026-11-22T02:00:00+01:00", "2026-11-22T04:00:00+01:00"},
		{"exactly enough", plan(t, "daily 02:00-04:00 UTC"), "2026-11-21T03:00:00Z", time.Hour,
			"2026-11-21T02:00:00Z", "2026-11-21T04:00:00Z"},
		{"the end is not part of it", plan(t, "daily 02:00-04:00 UTC"), "2026-11-21T04:00:00Z", 0,
			"2026-11-22T02:00:00Z", "2026-11-22T04:00:00Z"},
		{"clocks go forward: one hour is left of two, and 70 min are needed", plan(t, "Sun 01:30-03:30 Europe/Budapest"), "2027-03-27T12:00:00Z", 70 * time.Minute,
			"2027-04-04T01:30:00+02:00", "2027-04-04T03:30:00+02:00"},
		{"clocks go forward: one hour is enough for 60 min", plan(t, "Sun 01:30-03:30 Europe/Budapest"), "2027-03-27T12:00:00Z", time.Hour,
			"2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"},
		{"clocks go forward: the window is skipped", plan(t, "Sun 02:10-02:50 Europe/Budapest"), "2027-03-27T12:00:00Z", 0,
			"2027-04-04T02:10:00+02:00", "2027-04-04T02:50:00+02:00"},
		{"clocks go forward: it begins with the skip", plan(t, "Sun 02:30-03:30 Europe/Budapest"), "2027-03-27T12:00:00Z", 0,
			"2027-03-28T03:00:00+02:00", "2027-03-28T03:30:00+02:00"},
		{"clocks go back: it is longer", plan(t, "Sun 01:30-03:30 Europe/Budapest"), "2027-10-30T12:00:00Z", 3 * time.Hour,
			"2027-10-31T01:30:00+02:00", "2027-10-31T03:30:00+01:00"},
		{"clocks go back: it ends at the first of two ends", plan(t, "Sun 02:00-02:30 Europe/Budapest"), "2027-10-30T12:00:00Z", 0,
			"2027-10-31T02:00:00+02:00", "2027-10-31T02:30:00+02:00"},
		{"over midnight", plan(t, "Fri 22:00-04:00 Europe/Budapest"), "2026-11-18T12:00:00Z", 0,
			"2026-11-20T22:00:00+01:00", "2026-11-21T04:00:00+01:00"},
		{"a range over the end of the week", plan(t, "Sat-Mon 02:00-04:00 UTC"), "2026-11-22T05:00:00Z", 0,
			"2026-11-23T02:00:00Z", "2026-11-23T04:00:00Z"},
		{"the union of two that overlap", plan(t, "Sat 02:00-04:00 UTC", "Sat 03:00-05:00 UTC"), "2026-11-21T00:00:00Z", 3 * time.Hour,
			"2026-11-21T02:00:00Z", "2026-11-21T05:00:00Z"},
		{"the union of two that touch", plan(t, "Sat 22:00-24:00 UTC", "Sun 00:00-01:00 UTC"), "2026-11-21T00:00:00Z", 3 * time.Hour,
			"2026-11-21T22:00:00Z", "2026-11-22T01:00:00Z"},
		{"the union of two zones", plan(t, "Sat 02:00-04:00 Europe/Budapest", "Sat 02:00-04:00 UTC"), "2026-11-21T00:00:00Z", 3 * time.Hour,
			"2026-11-21T02:00:00+01:00", "2026-11-21T04:00:00Z"},
		{"a blackout moves it", plan(t, "daily 02:00-04:00 UTC", "but", "2026-11-21..2027-01-06 UTC"), "2026-11-20T12:00:00Z", 0,
			"2027-01-07T02:00:00Z", "2027-01-07T04:00:00Z"},
		{"a blackout cuts its end", plan(t, "Fri 22:00-04:00 UTC", "but", "2026-11-21 UTC"), "2026-11-20T12:00:00Z", 0,
			"2026-11-20T22:00:00Z", "2026-11-21T00:00:00Z"},
		{"a blackout cuts its beginning", plan(t, "Fri 22:00-04:00 UTC", "but", "2026-11-20 UTC"), "2026-11-20T12:00:00Z", 0,
			"2026-11-21T00:00:00Z", "2026-11-21T04:00:00Z"},
		{"a blackout of another zone cuts it in two", plan(t, "daily 00:00-24:00 UTC", "but", "2026-11-21 Asia/Tokyo"), "2026-11-20T20:00:00Z", time.Hour,
			"2026-11-21T15:00:00Z", "2026-11-21T15:00:00Z"},
		{"blackouts alone", plan(t, "but", "2026-11-20..2026-11-30 UTC"), "2026-11-21T00:00:00Z", time.Hour,
			"2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"the second Tuesday", plan(t, "RRULE:FREQ=MONTHLY;BYDAY=2TU 02:00-04:00 Europe/Budapest"), "2026-11-18T12:00:00Z", 0,
			"2026-12-08T02:00:00+01:00", "2026-12-08T04:00:00+01:00"},
		{"every other Saturday", plan(t, "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA;DTSTART=20261114 02:00-04:00 UTC"), "2026-11-18T12:00:00Z", 0,
			"2026-11-28T02:00:00Z", "2026-11-28T04:00:00Z"},
		{"29 February", plan(t, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29 02:00-04:00 UTC"), "2026-11-18T12:00:00Z", 0,
			"2028-02-29T02:00:00Z", "2028-02-29T04:00:00Z"},
		{"a rule that has ended", plan(t, "RRULE:FREQ=DAILY;UNTIL=20260101 02:00-04:00 UTC"), "2026-11-18T12:00:00Z", 0, "", ""},
		{"none is ever long enough", plan(t, "daily 02:00-04:00 UTC"), "2026-11-18T12:00:00Z", 5 * time.Hour, "", ""},
		{"a day that the zone skips", plan(t, "Fri,Sat 22:00-04:00 Pacific/Apia"), "2011-12-29T12:00:00-10:00", 0,
			"2011-12-31T22:00:00+14:00", "2012-01-01T04:00:00+14:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := c.plan.Next(instant(t, c.at), c.need)
			if ok != (c.start != "") {
				t.Fatalf("found is %v: %v", ok, got)
			}
			if !ok {
				return
			}
			if !got.Start.Equal(instant(t, c.start)) {
				t.Errorf("it starts %s, want %s", got.Start.Format(time.RFC3339), c.start)
			}
			if want := instant(t, c.end); c.end != c.start && !got.End.Equal(want) {
				t.Errorf("it ends %s, want %s", got.End.Format(time.RFC3339), c.end)
			}
		})
	}
}

// TestAt asks what is open. Trap kured#204, SigNoz#7494: after midnight an overnight window is judged by the new day's name.
func TestAt(t *testing.T) {
	for _, c := range []struct {
		name string
		plan Plan
		at   string
		open bool
	}{
		{"overnight, after midnight", plan(t, "Fri 22:00-04:00 Europe/Budapest"), "2026-11-21T01:00:00+01:00", true},
		{"overnight, the night before", plan(t, "Fri 22:00-04:00 Europe/Budapest"), "2026-11-20T01:00:00+01:00", false},
		{"overnight, when it ends", plan(t, "Fri 22:00-04:00 Europe/Budapest"), "2026-11-21T04:00:00+01:00", false},
		{"when it begins", plan(t, "Fri 22:00-04:00 Europe/Budapest"), "2026-11-20T22:00:00+01:00", true},
		{"the same hour in another zone", plan(t, "Fri 22:00-04:00 Europe/Budapest"), "2026-11-20T22:30:00Z", true},
		{"an hour that comes twice, the first time", plan(t, "Sun 02:00-02:30 Europe/Budapest"), "2027-10-31T02:15:00+02:00", true},
		{"an hour that comes twice, the second time", plan(t, "Sun 02:00-02:30 Europe/Budapest"), "2027-10-31T02:15:00+01:00", false},
		{"no windows", Plan{}, "2026-11-21T01:00:00Z", true},
		{"in a blackout", plan(t, "daily 00:00-24:00 UTC", "but", "2026-11-21 UTC"), "2026-11-21T01:00:00Z", false},
		{"after a blackout", plan(t, "daily 00:00-24:00 UTC", "but", "2026-11-21 UTC"), "2026-11-22T00:00:00Z", true},
		{"in the year 1970", plan(t, "daily 02:00-04:00 UTC"), "1970-01-01T03:00:00Z", true},
		{"in the year 9999", plan(t, "daily 02:00-04:00 UTC"), "9999-12-31T03:00:00Z", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := c.plan.At(instant(t, c.at)); ok != c.open {
				t.Errorf("open is %v: %v", ok, got)
			}
		})
	}
}

func TestBlackout(t *testing.T) {
	p := plan(t, "but", "2026-12-24..2026-12-26 Europe/Budapest")
	for at, want := range map[string]bool{
		"2026-12-23T23:30:00+01:00": false, "2026-12-23T23:30:00Z": true, "2026-12-26T22:59:00Z": true, "2026-12-26T23:00:00Z": false,
	} {
		if _, ok := p.Blackout(instant(t, at)); ok != want {
			t.Errorf("at %s a blackout is %v", at, ok)
		}
	}
}

// TestAtIsTheFirstInstant compares the instant of a time of day with a search for the first one at which the clocks show that
// time or a later one, on days when clocks change.
func TestAtIsTheFirstInstant(t *testing.T) {
	for name, dates := range map[string][]string{
		"Europe/Budapest":     {"2027-03-28", "2027-10-31", "2027-06-01"},
		"America/New_York":    {"2027-03-14", "2027-11-07"},
		"Australia/Lord_Howe": {"2027-04-04", "2027-10-03"},
		"America/Sao_Paulo":   {"2018-11-04", "2018-02-17"}, // at midnight
		"Africa/Casablanca":   {"2027-02-07", "2027-03-14"},
		"Pacific/Apia":        {"2011-12-29", "2011-12-30", "2011-12-31"},
		"UTC":                 {"2027-03-28"},
	} {
		zone, err := loadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, date := range dates {
			at, err := time.Parse(time.DateOnly, date)
			if err != nil {
				t.Fatal(err)
			}
			d := dayOf(at)
			for minute := 0; minute <= 2*dayMinutes; minute += 15 {
				got, want := d.at(minute, zone), firstInstant(d, minute, zone)
				if !got.Equal(want) {
					t.Errorf("%s %s, minute %d: %s, want %s", name, date, minute, got, want)
				}
			}
		}
	}
}

func firstInstant(d day, minute int, zone *time.Location) time.Time {
	wall := d.utc().Add(time.Duration(minute) * time.Minute)
	for t := wall.Add(-30 * time.Hour); ; t = t.Add(15 * time.Minute) {
		_, offset := t.In(zone).Zone()
		if shown := t.Add(time.Duration(offset) * time.Second); !shown.Before(wall) {
			return t
		}
	}
}
