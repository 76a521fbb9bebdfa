package bootrig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/internal/bootrig/replay"
)

// Recording is an update of a machine, as its disk saw it.
type Recording struct {
	Before *Machine // the disk before the first write
	After  string   // the disk after the last one
	Log    string
}

// Record lets a copy of the yard's machine play, and records what it writes.
func (y *Yard) Record(ctx context.Context, dir string, play func(*Running) error) (*Recording, error) {
	before, err := y.Machine(ctx, filepath.Join(dir, "before"))
	if err != nil {
		return nil, err
	}
	m, err := before.Clone(ctx, filepath.Join(dir, "recorded"))
	if err != nil {
		return nil, err
	}
	rec := &Recording{Before: before, After: m.Disk, Log: filepath.Join(dir, "writes.log")}
	if err := os.WriteFile(rec.Log, nil, 0o600); err != nil {
		return nil, err
	}
	r, err := m.Record(ctx, rec.Log)
	if err != nil {
		return nil, err
	}
	defer r.Off()
	r.Say = y.Say
	if err := play(r); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, r.Console())
	}
	return rec, r.PowerOff()
}

// Look tells what is wrong with a disk that a power cut has left, as a boot loader sees it.
type Look func(replay.State) error

// LookAsGRUB sees a disk with GRUB's eyes: the environment block where its ext2 driver finds it, and whether each slot that
// sallyport.cfg would boot is whole: one of the images, by slot.
func (y *Yard) LookAsGRUB(l *Layout, images map[string][]string) (Look, error) {
	whole := map[string][][]byte{}
	for name, files := range images {
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			whole[name] = append(whole[name], b)
		}
	}
	boot, _ := l.Offset(labelBoot)
	return func(s replay.State) error {
		block, err := grubBlock(s, boot)
		if err != nil {
			return err
		}
		vars, err := grubtest.Load(block)
		if err != nil {
			return err
		}
		if b := grubtest.Sallyport(block, []string{"A", "B"}, func([]byte) error { return nil }); b.Probe {
			return errors.New("no slot is known to be good")
		}
		for name, label := range map[string]string{"A": labelRootA, "B": labelRootB} {
			state := vars["sallyport_"+name+"_state"]
			offset, size := l.Offset(label)
			if state != "bad" && !isOne(s.Slice(offset, size), whole[name]) {
				return fmt.Errorf("slot %s is %s and not whole", name, state)
			}
		}
		return nil
	}, nil
}

func isOne(have []byte, of [][]byte) bool {
	for _, b := range of {
		if bytes.Equal(have, b) {
			return true
		}
	}
	return false
}

// grubBlock reads the environment block of the boot partition.
func grubBlock(s replay.State, offset int64) ([]byte, error) {
	fs, err := replay.NewExt2(section{s, offset})
	if err != nil {
		return nil, err
	}
	return fs.ReadFile("/grub/grubenv")
}

// section is a disk from some offset on.
type section struct {
	s      replay.State
	offset int64
}

func (x section) ReadAt(p []byte, at int64) (int, error) { return x.s.ReadAt(p, x.offset+at) }

// CutEverywhere looks at disks that a power cut could have left of a recording, and calls bad for each that is wrong. It returns how
// many were looked at. Writes to the boot partition are torn at every sector. A recording that lacks a write is an error.
func (rec *Recording) CutEverywhere(look Look, seed uint64, subsets int, bad func(replay.State, error)) (int, error) {
	l, err := replay.Open(rec.Log)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	boot, size := rec.Before.Layout.Offset(labelBoot)
	o := replay.Options{Seed: seed, Prefixes: 1, Subsets: subsets, Every: func(e replay.Entry) bool { return e.Offset >= boot && e.Offset < boot+size }}
	n := 0
	err = replay.Each(rec.Before.Disk, l, o, func(s replay.State) error {
		n++
		if err := look(s); err != nil {
			bad(s, err)
		}
		if s.Entry < len(l.Entries) {
			return nil
		}
		whole, err := s.Is(rec.After)
		if err == nil && !whole {
			err = errors.New("the recording lacks a write: its end is not the disk that the machine left")
		}
		return err
	})
	return n, err
}
