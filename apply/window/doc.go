// Package window knows when a site may switch to another release.
//
// A window is days, times and a zone: "Sat,Sun 02:00-04:00 Europe/Budapest". Days are names, ranges of them (Mon-Fri), daily, or
// a recurrence rule as RFC 5545 writes it (RRULE:FREQ=MONTHLY;BYDAY=2TU). One that ends no later than it starts runs into the next day
// and belongs to the day on which it begins. Several windows are their union. A blackout is a date or a range of dates in
// a zone, and cuts what lies on it.
//
// Everything is compared as instants. A time of day becomes one by one rule: a time that comes twice because clocks are
// set back is the first of the two, and one that is skipped because they are set forward is the moment at which they
// are. So a window on such a day is as long as it is there, and one that lies in the skipped hour is none.
//
// The data of the zones are inside the program; those of the system, where there are any, may be newer and come first.
package window
