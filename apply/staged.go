package apply

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/verify"
)

// stillGood judges the staged release once more before it is switched to. Days may lie between the two: its time may
// have run out, the site may no longer trust those who signed it, and the site itself may have changed.
func (r *run) stillGood() error {
	staged := *r.journal.Staged
	held, err := r.slots.Load(staged.Slot)
	if err != nil {
		return err
	}
	rel, err := openRelease(staged, held)
	if err != nil {
		return err
	}
	if err := r.stillTrusted(staged, held.Report); err != nil {
		return err
	}
	d := rel.descriptor
	if d.Expires != nil && !r.deps.Now().Before(*d.Expires) {
		return errorf("expired", "ask the factory for a bundle that is still good, or set this machine's clock if it is wrong",
			"%s, which is staged, expired %s", staged, d.Expires.UTC().Format(time.RFC3339))
	}
	if text := r.relabelled(staged, d); text != "" {
		return errorf("labels", "stage its bundle again, or correct metadata.labels in site.yaml", "%s", text)
	}
	return r.fits(d, r.journal)
}

// stillTrusted wants one of those whose signatures were verified when the release was staged to be trusted today.
func (r *run) stillTrusted(staged Release, report []byte) error {
	var signed verify.Report
	if err := json.Unmarshal(report, &signed); err != nil {
		return &slot.DamagedError{Slot: staged.Slot, File: "report.json", Err: err}
	}
	trust, err := r.deps.LoadTrust()
	if err != nil {
		return err
	}
	for _, s := range trust.Signers() {
		if slices.ContainsFunc(signed.Signers, func(o verify.Signer) bool { return o.KeyID == s.KeyID }) {
			return nil
		}
	}
	return errorf("signature", "ask the factory for a bundle that is signed by an accepted key",
		"%s, which is staged, was signed by %s, and this site trusts no such key now", staged, strings.Join(signerNames(signed), ", "))
}
