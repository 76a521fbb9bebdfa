package uboot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// store is an environment with its copies, as it was read.
type store struct {
	env    env
	media  []medium
	images []image
	newest int
}

var errSingle = errors.New("there is one copy of the environment: a power cut while it is written would lose it, and with it the way to boot")

// openStore reads the environment that fw_env.config describes.
func openStore(cfg Config) (*store, error) {
	places, err := readConfig(cfg.Host.Path(cfg.Path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Path, err)
	}
	if len(places) == 1 && !cfg.Single {
		return nil, fmt.Errorf("%s: %w", cfg.Path, errSingle)
	}
	s := &store{}
	for _, p := range places {
		m, err := openMedium(p, cfg.Host, cfg.Disk)
		if err != nil {
			return nil, err
		}
		s.media = append(s.media, m)
	}
	if len(places) == maxPlaces {
		if err := apart(cfg.Host, places, s.media); err != nil {
			return nil, err
		}
	}
	return s, s.read(places)
}

func readConfig(path string) ([]place, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("it is longer than %d bytes", maxConfig)
	}
	if err != nil {
		return nil, err
	}
	return parseConfig(data)
}

// apart wants both copies to be counted in one way, and no write of one to touch the other.
func apart(h host.Host, places []place, media []medium) error {
	if media[0].scheme() != media[1].scheme() {
		return errors.New("the copies lie on two kinds of flash, on which U-Boot tells the newer one in two ways")
	}
	one, err := os.Stat(h.Path(places[0].device))
	if err != nil {
		return err
	}
	other, err := os.Stat(h.Path(places[1].device))
	if err != nil || !os.SameFile(one, other) {
		return err
	}
	fromA, toA, errA := media[0].extent()
	fromB, toB, errB := media[1].extent()
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if fromA < toB && fromB < toA {
		return errors.New("both copies lie in one place: a write of one would destroy the other")
	}
	return nil
}

// read fills in the copies. One of two that cannot be read is as one that is damaged.
func (s *store) read(places []place) error {
	s.images = nil
	var unread error
	for i, m := range s.media {
		raw, err := m.read()
		if err != nil {
			unread = errors.Join(unread, err)
			raw = make([]byte, places[i].size)
		}
		img := parseImage(raw, s.redundant())
		img.good = img.good && err == nil
		s.images = append(s.images, img)
	}
	var err error
	if s.newest, err = newest(s.media[0].scheme(), s.images); err != nil {
		if unread != nil {
			return unread
		}
		return fmt.Errorf("%s: %w", placesText(places), err)
	}
	if s.env, err = parseEnv(s.images[s.newest].data); err != nil {
		return fmt.Errorf("%s: %w", placesText(places), err)
	}
	return nil
}

func placesText(places []place) (text string) {
	for i, p := range places {
		if i > 0 {
			text += " and "
		}
		text += fmt.Sprintf("0x%x bytes at 0x%x of %s", p.size, p.offset, p.device)
	}
	return text
}

func (s *store) redundant() bool { return len(s.media) > 1 }

// save makes e the environment, and reads it back.
func (s *store) save(e env) error {
	now := s.images[s.newest]
	data, err := e.marshal(len(now.data))
	if err != nil {
		return err
	}
	target := 0
	if s.redundant() {
		target = 1 - s.newest
	}
	scheme := s.media[target].scheme()
	raw := newImage(data, s.redundant(), scheme.next(now.flags))
	if err := s.media[target].write(raw); err != nil {
		return err
	}
	if err := readsBack(s.media[target], raw); err != nil {
		return err
	}
	if old, ok := s.media[s.newest].(obsoleter); ok && s.redundant() && scheme == activity {
		if err := old.obsolete(); err != nil {
			return err
		}
	}
	return s.check(e, target)
}

func readsBack(m medium, want []byte) error {
	got, err := m.read()
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("what was written does not read back")
	}
	return err
}

// check wants what was written to be what counts now.
func (s *store) check(e env, target int) error {
	places := make([]place, len(s.media))
	for i := range places {
		places[i].size = int64(len(s.images[i].raw))
	}
	if err := s.read(places); err != nil {
		return err
	}
	if s.newest != target || !slices.Equal(s.env, e) {
		return errors.New("the copy that was written is not the one that counts")
	}
	return nil
}
