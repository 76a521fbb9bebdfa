package window

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Error says what is wrong with a window or a blackout, and what to write.
type Error struct{ Problem, Advice string }

// Error says what is wrong.
func (e *Error) Error() string { return e.Problem }

// Hint says what to write.
func (e *Error) Hint() string { return e.Advice }

const (
	windowForm   = `write days, times and a zone, as in "Sat,Sun 02:00-04:00 Europe/Budapest"`
	dayForm      = "write days such as Sat,Sun or Mon-Fri, or daily, or RRULE:FREQ=MONTHLY;BYDAY=2TU"
	timeForm     = "write two times of day such as 02:00-04:00 or 22:00-04:00"
	blackoutForm = `write dates and a zone, as in "2026-12-20..2027-01-06 Europe/Budapest"`
)

// Window is one window: it begins on some days at a time of day, and ends at another, perhaps on the next day.
type Window struct {
	text       string
	days       [7]bool // by time.Weekday
	rule       *rule   // in place of days; nil if those count
	start, end int     // minutes from the midnight with which its day begins
	zone       *time.Location
}

// String is the window as it was written.
func (w Window) String() string { return w.text }

// Parse reads a window: DAYS HH:MM-HH:MM ZONE. Its errors are of type *Error.
func Parse(text string) (Window, error) {
	w := Window{text: text}
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return w, &Error{fmt.Sprintf("%q is not a window", text), windowForm}
	}
	var err error
	if isRule(fields[0]) {
		w.rule, err = parseRule(fields[0])
	} else {
		w.days, err = parseDays(fields[0])
	}
	if err != nil {
		return w, err
	}
	if w.start, w.end, err = parseTimes(fields[1]); err != nil {
		return w, err
	}
	w.zone, err = loadZone(fields[2])
	return w, err
}

// parseDays reads a list of days and ranges of days. A range may run over the end of the week.
func parseDays(text string) (days [7]bool, err error) {
	if strings.EqualFold(text, "daily") {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	for _, item := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(item, "-")
		from, ok := weekday(first)
		to := from
		if isRange && ok {
			to, ok = weekday(last)
		}
		if !ok {
			return days, &Error{fmt.Sprintf("%q is not a day", item), dayForm}
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

// weekday reads the English name of a day, whole or its first three letters.
func weekday(text string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(text, d.String()) || strings.EqualFold(text, d.String()[:3]) {
			return d, true
		}
	}
	return 0, false
}

// parseTimes reads HH:MM-HH:MM. An end that is no later than the start is on the next day.
func parseTimes(text string) (start, end int, err error) {
	wrong := &Error{fmt.Sprintf("%q is not from one time of day to another", text), timeForm}
	first, last, _ := strings.Cut(text, "-")
	start, ok := clock(first)
	if !ok || start == dayMinutes {
		return 0, 0, wrong
	}
	if end, ok = clock(last); !ok {
		return 0, 0, wrong
	}
	if start == end {
		return 0, 0, &Error{fmt.Sprintf("%q ends when it begins", text), "write 00:00-24:00 for the whole day"}
	}
	if end < start {
		end += dayMinutes
	}
	return start, end, nil
}

// clock reads HH:MM, up to 24:00, as minutes.
func clock(text string) (minute int, ok bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	h, err := strconv.ParseUint(text[:2], 10, 8)
	m, errM := strconv.ParseUint(text[3:], 10, 8)
	if err != nil || errM != nil || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, false
	}
	return int(h)*60 + int(m), true
}

// Blackout is a range of whole days.
type Blackout struct {
	text     string
	from, to day // the last day is one of them
	zone     *time.Location
}

// String is the blackout as it was written.
func (b Blackout) String() string { return b.text }

// ParseBlackout reads a date or a range of dates with a zone: YYYY-MM-DD[..YYYY-MM-DD] ZONE. Its errors are of type *Error.
func ParseBlackout(text string) (Blackout, error) {
	b := Blackout{text: text}
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return b, &Error{fmt.Sprintf("%q is not a blackout", text), blackoutForm}
	}
	first, last, isRange := strings.Cut(fields[0], "..")
	if !isRange {
		last = first
	}
	from, err := time.Parse(time.DateOnly, first)
	if err != nil {
		return b, &Error{fmt.Sprintf("%q is not a date", first), blackoutForm}
	}
	to, err := time.Parse(time.DateOnly, last)
	if err != nil {
		return b, &Error{fmt.Sprintf("%q is not a date", last), blackoutForm}
	}
	if to.Before(from) {
		return b, &Error{fmt.Sprintf("%q ends before it begins", fields[0]), blackoutForm}
	}
	b.from, b.to = dayOf(from), dayOf(to)
	b.zone, err = loadZone(fields[1])
	return b, err
}
