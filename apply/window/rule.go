package window

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// rule is a recurrence rule of days, as RFC 5545 has them.
type rule struct{ r *rrule.RRule }

const rulePrefix = "RRULE:"

func isRule(text string) bool { return strings.HasPrefix(strings.ToUpper(text), rulePrefix) }

// ruleParts are those that choose days. Times of day are the window's own.
var ruleParts = []string{"FREQ", "INTERVAL", "UNTIL", "COUNT", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "WKST", "DTSTART"}

// maxInterval keeps a rule within what can be counted through.
const maxInterval = 1000

// ruleStart is the day from which a rule counts that does not say so with DTSTART: a Monday, and the first day of a year's
// first week.
var ruleStart = time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)

func parseRule(text string) (*rule, error) {
	body := strings.ToUpper(text)[len(rulePrefix):]
	wrong := func(why string) error {
		return &Error{fmt.Sprintf("%q is not a recurrence rule of days: %s", text, why), dayForm}
	}
	var seen []string
	for _, part := range strings.Split(body, ";") {
		key, _, _ := strings.Cut(part, "=")
		if !slices.Contains(ruleParts, key) || slices.Contains(seen, key) {
			return nil, wrong(fmt.Sprintf("%q does not belong there", part))
		}
		seen = append(seen, key)
	}
	o, err := rrule.StrToROption(body)
	switch {
	case err != nil:
		return nil, wrong(err.Error())
	case o.Freq > rrule.DAILY:
		return nil, wrong("FREQ is shorter than a day")
	case o.Interval < 0 || o.Interval > maxInterval:
		return nil, wrong(fmt.Sprintf("INTERVAL is not between 1 and %d", maxInterval))
	case slices.Contains(seen, "COUNT") && !slices.Contains(seen, "DTSTART"):
		return nil, wrong("COUNT needs DTSTART")
	}
	if o.Dtstart.IsZero() {
		o.Dtstart = ruleStart
	}
	if year := o.Dtstart.Year(); year < 1970 || year > 9000 {
		return nil, wrong("DTSTART is out of reach")
	}
	o.Dtstart = dayOf(o.Dtstart).utc()
	r, err := rrule.NewRRule(*o)
	if err != nil {
		return nil, wrong(err.Error())
	}
	if r.After(o.Dtstart, true).IsZero() {
		return nil, wrong("there is no such day")
	}
	return &rule{r}, nil
}

// days are those of the rule from the first day to the last.
func (r *rule) days(first, last day) (all []day) {
	for _, t := range r.r.Between(first.utc(), last.utc(), true) {
		all = append(all, dayOf(t))
	}
	return all
}
