package window

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseRefuses(t *testing.T) {
	for text, problem := range map[string]string{
		"":                          `"" is not a window`,
		"Sat 02:00-04:00":           "is not a window",
		"Sat,Sun 02:00-04:00 UTC x": "is not a window",
		"Sat,Blursday 02:00-04:00 Europe/Budapest":                              `"Blursday" is not a day`,
		"Sat- 02:00-04:00 UTC":                                                  `"Sat-" is not a day`,
		"Sat,,Sun 02:00-04:00 UTC":                                              `"" is not a day`,
		"Sat 2:00-04:00 UTC":                                                    "is not from one time of day to another",
		"Sat 02:00-24:30 UTC":                                                   "is not from one time of day to another",
		"Sat 24:00-04:00 UTC":                                                   "is not from one time of day to another",
		"Sat +2:00-04:00 UTC":                                                   "is not from one time of day to another",
		"Sat 02:60-04:00 UTC":                                                   "is not from one time of day to another",
		"Sat 02:00 UTC":                                                         "is not from one time of day to another",
		"Sat 02:00-02:00 UTC":                                                   "ends when it begins",
		"Sat 02:00-04:00 Europe/Atlantis":                                       `"Europe/Atlantis" is not a time zone`,
		"Sat 02:00-04:00 Local":                                                 `"Local" is not a time zone`,
		"Sat 02:00-04:00 right/UTC":                                             `"right/UTC" is not a time zone`,
		"Sat 02:00-04:00 ../../etc/passwd":                                      "is not a time zone",
		"RRULE:FREQ=HOURLY 02:00-04:00 UTC":                                     "FREQ is shorter than a day",
		"RRULE:FREQ=DAILY;BYHOUR=3 02:00-04:00 UTC":                             `"BYHOUR=3" does not belong there`,
		"RRULE:FREQ=DAILY;FREQ=DAILY 02:00-04:00 UTC":                           "does not belong there",
		"RRULE:FREQ=DAILY;COUNT=3 02:00-04:00 UTC":                              "COUNT needs DTSTART",
		"RRULE:FREQ=DAILY;INTERVAL=9223372036854775807 02:00-04:00 UTC":         "INTERVAL is not between",
		"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30 02:00-04:00 UTC":             "there is no such day",
		"RRULE:BYDAY=MO 02:00-04:00 UTC":                                        "is not a recurrence rule",
		"RRULE:FREQ=YEARLY;DTSTART=99990101;BYMONTHDAY=1 02:00-04:00 Asia/Oral": "DTSTART is out of reach",
	} {
		_, err := Parse(text)
		refused(t, text, err, problem)
	}
}

func TestParseBlackoutRefuses(t *testing.T) {
	for text, problem := range map[string]string{
		"2026-12-24":                       "is not a blackout",
		"2026-12-24 2026-12-26 UTC":        "is not a blackout",
		"24.12.2026 UTC":                   `"24.12.2026" is not a date`,
		"2026-02-30 UTC":                   `"2026-02-30" is not a date`,
		"2026-12-24.. UTC":                 `"" is not a date`,
		"2026-12-26..2026-12-24 UTC":       "ends before it begins",
		"2026-12-24 Europe/Atlantis":       "is not a time zone",
		"2026-12-24..2026-12-26..2027 UTC": "is not a date",
	} {
		_, err := ParseBlackout(text)
		refused(t, text, err, problem)
	}
}

func refused(t *testing.T, text string, err error, problem string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Problem, problem) || e.Advice == "" {
		t.Errorf("%q gives %v (%+v), want %s", text, err, e, problem)
	}
}

// FuzzParse wants of every window that parses that what it opens is in order, apart, and agrees with At and Next.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"Sat,Sun 02:00-04:00 Europe/Budapest", "daily 00:00-24:00 UTC", "Fri-Mon 22:00-04:00 Australia/Lord_Howe",
		"RRULE:FREQ=MONTHLY;BYDAY=2TU 02:00-04:00 Europe/Budapest", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA;DTSTART=20261114 02:00-04:00 UTC",
		"RRULE:FREQ=YEARLY;BYWEEKNO=53;BYSETPOS=-1 23:59-00:00 America/Sao_Paulo", "rrule:freq=yearly;byyearday=-366 02:00-04:00 UTC",
		"monday 01:30-03:30 Africa/Casablanca", "Sat 02:00-02:00 UTC",
	} {
		f.Add(text, int64(1795053600))
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		w, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%q gives an error without a hint: %v", text, err)
			}
			return
		}
		now := time.Unix(at%(1<<36), 0)
		p := Plan{Windows: []Window{w}}
		all := p.spans(dayOf(now.UTC())-back, dayOf(now.UTC())+back)
		for i, s := range all {
			if !s.Start.Before(s.End) || i > 0 && !all[i-1].End.Before(s.Start) {
				t.Fatalf("%q opens %v", text, all)
			}
		}
		if s, ok := p.At(now); ok {
			if next, found := p.Next(now, 0); !found || !next.Start.Equal(s.Start) {
				t.Fatalf("%q: at %s %v is open, and the next is %v", text, now, s, next)
			}
		}
	})
}
