package cmd

import (
	"errors"
	"testing"

	"github.com/sallyport-dev/sallyport/apply"
)

// What somebody has armed for later is not booted by the unit that runs confirm; a way back is.
func TestWhoReboots(t *testing.T) {
	armed, back := &apply.Result{Result: apply.ResultArmed}, &apply.Error{Word: "reboot"}
	for _, c := range []struct {
		name string
		p    program
		res  *apply.Result
		err  error
		want bool
	}{
		{"apply", program{}, armed, nil, false},
		{"apply --reboot", program{reboot: true}, armed, nil, true},
		{"apply --reboot, committed", program{reboot: true}, &apply.Result{Result: apply.ResultCommitted}, nil, false},
		{"apply --reboot, failed", program{reboot: true}, nil, errors.New("no"), false},
		{"confirm on the way back", program{}, nil, back, false},
		{"confirm --reboot on the way back", program{rebootBack: true}, nil, back, true},
		{"confirm --reboot before a trial", program{rebootBack: true}, armed, nil, false},
	} {
		if got := c.p.boots(c.res, c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
