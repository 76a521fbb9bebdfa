package efi

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

// recordName is the variable of this program's own, under a vendor of its own.
const recordName = "SallyportSlots"

var vendor = vendorGUID("6a0303cf-3f36-46f0-8b01-f062dd34797c")

func vendorGUID(s string) efivar.GUID {
	g, err := efivar.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// record says of each slot what the firmware's variables alone do not tell.
type record struct {
	a, b slot.Verdict
	// count makes each record another one: some firmware reports success for a value that it has already and tries no write.
	count uint32
}

const recordFormat = "1 a=%s b=%s %d\n"

func (r record) bytes() []byte { return fmt.Appendf(nil, recordFormat, r.a, r.b, r.count) }

// parseRecord reads a record; it has one form.
func parseRecord(b []byte) (r record, err error) {
	_, err = fmt.Sscanf(string(b), recordFormat, &r.a, &r.b, &r.count)
	if err != nil || !valid(r.a) || !valid(r.b) || string(r.bytes()) != string(b) {
		return record{}, fmt.Errorf("the EFI variable %s-%s is damaged: remove it, and confirm the slot that runs", recordName, vendor)
	}
	return r, nil
}

func valid(v slot.Verdict) bool { return v == slot.Good || v == slot.Trial || v == slot.Bad }

// of is the verdict on a slot.
func (r *record) of(n slot.Name) *slot.Verdict {
	if n == slot.A {
		return &r.a
	}
	return &r.b
}

// readRecord returns the record. Where there is none, an entry that the firmware boots in its turn is good.
func (l *Loader) readRecord() (record, error) {
	v, err := l.vars.Read(recordName, vendor)
	if errors.Is(err, fs.ErrNotExist) {
		return record{a: slot.Good, b: slot.Good}, nil
	}
	if err != nil {
		return record{}, err
	}
	return parseRecord(v.Data)
}

// note writes verdicts into the record.
func (l *Loader) note(verdicts map[slot.Name]slot.Verdict) error {
	r, err := l.readRecord()
	if err != nil {
		return err
	}
	for n, v := range verdicts {
		*r.of(n) = v
	}
	r.count++
	return l.vars.Write(recordName, vendor, efivar.Variable{Attributes: efivar.Stored, Data: r.bytes()})
}
