package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// Freeze is a hold on every switch of the site, which no window, no release and no --now overrides.
type Freeze struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Reason is what people wrote, one line; empty if they did not.
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Until is when it ends by itself; nil: it does not.
	Until *time.Time `json:"until"`
	// For is how long it was to last from Since; 0 where Until is a moment that a person named, or nil.
	For bundle.Duration `json:"for,omitempty"`
	// Signer is who signed the notice that holds the site; nil: somebody froze it here.
	Signer *verify.Signer `json:"signer,omitempty"`
	// LiftedBy is the sequence of the releases that such a notice lets pass; 0: none.
	LiftedBy uint64 `json:"liftedBySequence,omitempty"`
	// Safe is the version that the notice has the site run meanwhile; empty: it names none. SafeMissing tells that the site does not hold it.
	Safe        string `json:"safe,omitempty"`
	SafeMissing bool   `json:"safeMissing,omitempty"`

	// damaged is why the file that holds it tells nothing more; nil if it does.
	damaged error
}

const freezeKind = "Freeze"

func (s *Site) freezePath() string { return s.path("freeze.json") }

// Freeze holds every switch of the site from now on. until is the moment at which it ends, or else length how long it lasts; with
// neither it lasts until Unfreeze. It takes no lock: it counts for a verb that is at work, too.
func (s *Site) Freeze(reason string, until *time.Time, length time.Duration) (*Freeze, error) {
	now := s.deps.Now().UTC().Truncate(time.Second)
	f := &Freeze{APIVersion: bundle.APIVersion, Kind: freezeKind, Reason: oneLine(reason), Since: now, For: bundle.Duration(length)}
	switch {
	case length > 0:
		end := now.Add(length)
		f.Until = &end
	case until != nil:
		end := until.UTC().Truncate(time.Second)
		if !end.After(now) {
			return nil, errorf("usage", "name a moment that is still to come; date tells this machine's clock", "%s is over", end.Format(time.RFC3339))
		}
		f.Until = &end
	}
	return f, s.saveSmall(s.freezePath(), "freeze", f)
}

// Unfreeze ends a freeze that somebody made here. It tells whether there was one. A notice that still holds the site is an error.
func (s *Site) Unfreeze() (was bool, err error) {
	was = s.frozenHere() != nil
	for _, path := range s.unfreezable() {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.deps.Disk.Remove(path); err != nil {
			return was, stateError(err)
		}
	}
	if f := s.frozenByNotice(nil); f != nil {
		return was, f.refuse(s.cfg.Metadata.Name)
	}
	return was, nil
}

// frozen returns the freeze that holds the site now; nil if none does.
func (s *Site) frozen() *Freeze { return s.frozenFor(nil) }

// frozenFor returns the freeze that keeps the site from a release now; nil if none does.
func (s *Site) frozenFor(d *bundle.Descriptor) *Freeze {
	if f := s.frozenHere(); f != nil {
		return f
	}
	return s.frozenByNotice(d)
}

// frozenHere returns what somebody has frozen here. A file that a power cut has emptied or torn still says that there is a freeze.
func (s *Site) frozenHere() *Freeze {
	f, err := s.readFreeze()
	if err != nil {
		return &Freeze{damaged: err}
	}
	if f == nil || f.Until == nil {
		return f
	}
	now := s.deps.Now()
	if f.For > 0 && f.Since.After(now) {
		// The clock was ahead when it was written: it began now at the latest.
		end := now.Add(time.Duration(f.For)).UTC()
		f.Since, f.Until = now.UTC(), &end
	}
	if !now.Before(*f.Until) {
		return nil
	}
	return f
}

func (s *Site) readFreeze() (*Freeze, error) {
	var f Freeze
	err := loadSmall(s.freezePath(), &f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && f.Kind != freezeKind:
		err = errors.New("it is no freeze")
	}
	return &f, err
}

// refuse is the error of a switch of the site while it is frozen.
func (f *Freeze) refuse(site string) error {
	if f.Signer != nil {
		return errorf("frozen", "ask who signed it: a later notice ends it, too; neither sallyport unfreeze nor --now does", "%s is frozen: %s", site, f)
	}
	return errorf("frozen", "sallyport unfreeze lifts the freeze; --now does not", "%s is frozen: %s", site, f)
}

// String says since when, until when and why.
func (f *Freeze) String() string {
	if f.damaged != nil {
		return fmt.Sprintf("what froze it and until when cannot be read (%s)", f.damaged)
	}
	text := "since " + when(f.Since.Local())
	switch {
	case f.Until != nil:
		text += " until " + when(f.Until.Local())
	case f.Signer == nil:
		text += ", until it is lifted"
	}
	if f.Signer != nil {
		text += f.notice()
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}

// notice says what more a notice says.
func (f *Freeze) notice() string {
	text := ", by a notice that " + f.Signer.String() + " signed"
	if f.LiftedBy != 0 {
		text += fmt.Sprintf("; a release with sequence %d or later lifts it", f.LiftedBy)
	}
	switch {
	case f.SafeMissing:
		text += "; it asks for " + f.Safe + " meanwhile, which is not here"
	case f.Safe != "":
		text += "; meanwhile " + f.Safe + " is to run"
	}
	return text
}

// maxSmall bounds the small files of the state that are not the journal, in bytes.
const maxSmall = 4 << 20

// saveSmall writes a small file of the state without the site's lock. verb names who asks, where the state has to be made first.
func (s *Site) saveSmall(path, verb string, v any) error {
	if err := s.unmounted(); err != nil {
		return err
	}
	if _, err := os.Stat(s.cfg.Spec.State); errors.Is(err, fs.ErrNotExist) {
		r, err := s.begin(verb)
		if err != nil {
			return err
		}
		if err := r.end(nil); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	// A verb that begins sweeps what it takes for leftovers, so it may take the new file away before that is in its place.
	for range 3 {
		if err = s.deps.Disk.WriteFile(path, append(b, '\n'), 0o600); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return stateError(err)
	}
	return nil
}

// readNote reads a small file that saveSmall wrote.
func loadSmall(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	case info.Size() > maxSmall:
		return fmt.Errorf("it is larger than %d bytes", maxSmall)
	}
	b := make([]byte, info.Size())
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return errors.New("it is empty")
	}
	return json.Unmarshal(b, into)
}
