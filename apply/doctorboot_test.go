package apply

import (
	"context"
	"errors"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/witness"
)

// advised is a boot loader whose set-up could be better.
type advised struct {
	slot.Loader
	text, mend string
	err        error
}

func (a advised) Advice(context.Context) (text, mend string, err error) { return a.text, a.mend, a.err }

func TestDoctorPassesOnAdviceOfTheBootLoader(t *testing.T) {
	const good = "slot A runs and is good"
	for _, c := range []struct {
		loader slot.Loader
		want   Finding
	}{
		{advised{}, Finding{OK: true, Message: good}},
		{advised{text: "starts once", mend: "make it start twice"}, Finding{OK: true, Message: good + "; starts once", Mend: "make it start twice"}},
		{advised{err: errors.New("no BootOrder")}, Finding{OK: true, Message: good + "; no BootOrder"}},
		{struct{ slot.Loader }{}, Finding{OK: true, Message: good}},
	} {
		f := Finding{OK: true, Message: good}
		f.advise(t.Context(), witness.New(c.loader, host.Host{}, slot.BootNames{A: "a", B: "b"}, nil))
		if f != c.want {
			t.Errorf("got %+v, want %+v", f, c.want)
		}
	}
}
