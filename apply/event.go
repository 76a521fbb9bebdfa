package apply

import "fmt"

// Event tells what a verb is doing. Label is what it is about, in one word: trusted, fits, loading, loaded, switching,
// objects, checks, rolling, note, writing, written.
type Event struct {
	Label string
	// Text is the rest of the line or, with a Total, what is done with the bytes.
	Text string
	// Done and Total are bytes, of work that can be measured; Total is 0 for what cannot. Such events repeat, with the
	// same Label, until Done is Total.
	Done, Total int64
}

func (s *Site) say(label, format string, args ...any) {
	s.tell(Event{Label: label, Text: fmt.Sprintf(format, args...)})
}

func (s *Site) tell(e Event) {
	if s.deps.Observe == nil {
		return
	}
	s.observing.Lock()
	defer s.observing.Unlock()
	s.deps.Observe(e)
}
