package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-dev/sallyport/apply"
)

// receiptTime bounds what a verb does about receipts when it has ended: a medium may be stuck.
const receiptTime = 30 * time.Second

// receipts makes the receipt of what a verb has done, writes it to the media that its bundle may have come from, and sends it where
// the verb is one that does. How the verb ended is decided: what goes wrong here is a note, and the next verb tries again.
func (p *program) receipts(ctx context.Context, s *apply.Site) {
	if !s.HasReceipts() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, receiptTime)
	defer cancel()
	rs, err := s.OpenReceipts(ctx)
	if err != nil {
		p.note("the receipt is not written yet, and the next verb does it", err)
		return
	}
	defer func() { _ = rs.Close() }() // it only gives a lock back
	for _, medium := range p.media {
		p.carry(ctx, rs, medium)
	}
	if !p.forward || !s.Forwards() || ctx.Err() != nil { // a medium that is stuck may still be written to
		return
	}
	f, err := rs.Forward(ctx)
	if err != nil {
		p.note("receipts are not sent", err)
	}
	if f.Sent > 0 {
		p.ui.say("receipt", "%s sent", plural(f.Sent, "statement"))
	}
}

// carry writes the receipts that are due to one medium. A medium that is stuck keeps the verb no longer than receiptTime.
func (p *program) carry(ctx context.Context, rs *apply.Receipts, medium string) {
	put, err := patiently(ctx, receiptTime, medium, func() ([]string, error) { return rs.Carry(ctx, medium) })
	switch {
	case err != nil:
		p.note("the receipt is not on the medium, and the next one takes it", err)
		p.ui.say("receipt", "you may remove the stick now")
	case len(put) > 0:
		p.ui.say("receipt", "on the stick: %s. You may remove the stick now.", put[len(put)-1])
	case !p.ui.silent:
		p.ui.say("receipt", "none is due. You may remove the stick now.")
	}
}

// metrics writes the metrics of the site after a verb that may have changed something.
func (p *program) metrics(s *apply.Site) {
	if err := s.WriteMetrics(version); err != nil {
		p.note("the metrics are not written, and the next verb does it", err)
	}
}

// note tells of something that changes no result.
func (p *program) note(what string, err error) {
	if !errors.Is(err, context.Canceled) {
		p.ui.say("note", "%s: %s", what, message(err))
	}
}
