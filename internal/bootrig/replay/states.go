package replay

import (
	"fmt"
	"math/rand/v2"
)

// Options say which of the possible disks are made.
type Options struct {
	Seed uint64
	// Every tells of a write whether each of its torn prefixes is made. Of the others there are Prefixes, at random.
	Every func(e Entry) bool
	// Prefixes is how many torn prefixes are made of a write that is not told of by Every.
	Prefixes int
	// Subsets is how many disks with writes lost at random are made after each write.
	Subsets int
	// Skip tells of an entry to make no disks after it; nil skips none.
	Skip func(i int, e Entry) bool
}

// State is a disk that a power cut could have left.
type State struct {
	*Disk
	// Name says how it came to be.
	Name string
	// Lost tells that unflushed writes before the last one are missing.
	Lost bool
	// Entry is the place in the recording.
	Entry int
}

// Each makes the disks, one after the other, and gives each to look. The disk in file is the one before the recording.
func Each(file string, l *Log, o Options, look func(State) error) error {
	r := &replayer{log: l, o: o, look: look, rand: rand.New(rand.NewPCG(o.Seed, 0))}
	var err error
	if r.all, err = OpenDisk(file); err != nil {
		return err
	}
	defer r.all.Close()
	if r.flushed, err = OpenDisk(file); err != nil {
		return err
	}
	defer r.flushed.Close()
	for i, e := range l.Entries {
		if err := r.step(i, e); err != nil {
			return fmt.Errorf("entry %d of %d: %w", i, len(l.Entries), err)
		}
	}
	return r.look(State{Disk: r.all, Name: "the end", Entry: len(l.Entries)})
}

// replayer goes through a recording with two disks: one that has every write so far, and one that has what was flushed.
type replayer struct {
	log          *Log
	o            Options
	look         func(State) error
	rand         *rand.Rand
	all, flushed *Disk
	pending      []Entry
}

func (r *replayer) step(i int, e Entry) error {
	skip := r.o.Skip != nil && r.o.Skip(i, e)
	b, err := r.log.Bytes(e)
	if err != nil {
		return err
	}
	if e.Size > 0 && !skip {
		if err := r.torn(i, e, b); err != nil {
			return err
		}
	}
	if _, err := r.all.write(b, e.Offset); err != nil {
		return err
	}
	if e.Flags&Flush != 0 {
		// A flush with bytes behind it says nothing about those bytes.
		if err := r.settle(); err != nil {
			return err
		}
	}
	if e.Size > 0 {
		r.pending = append(r.pending, e)
	}
	if skip || e.Size == 0 {
		return nil
	}
	for n := range r.o.Subsets {
		if err := r.subset(i, n); err != nil {
			return err
		}
	}
	return nil
}

// torn makes the disks on which the write got no further than some sector; 0 sectors is a cut before it.
func (r *replayer) torn(i int, e Entry, b []byte) error {
	sectors := int(e.Size / Sector)
	var prefixes []int
	if r.o.Every != nil && r.o.Every(e) {
		for n := range sectors {
			prefixes = append(prefixes, n)
		}
	} else {
		for range r.o.Prefixes {
			prefixes = append(prefixes, r.rand.IntN(sectors))
		}
	}
	for _, n := range prefixes {
		err := r.with(r.all, []change{{b[:n*Sector], e.Offset}}, State{Name: fmt.Sprintf("entry %d torn after %d of %d sectors", i, n, sectors), Entry: i})
		if err != nil {
			return err
		}
	}
	return nil
}

// subset makes a disk on which any of the writes since the last flush are lost, and one more may be torn.
func (r *replayer) subset(i, n int) error {
	var kept []change
	lost := false
	for _, e := range r.pending {
		b, err := r.log.Bytes(e)
		if err != nil {
			return err
		}
		switch sectors := int(e.Size / Sector); {
		case e.Flags&FUA != 0 || r.rand.IntN(2) == 0:
		case r.rand.IntN(4) == 0:
			b, lost = b[:r.whole(e, r.rand.IntN(sectors)*Sector)], true
		default:
			b, lost = nil, true
		}
		kept = append(kept, change{b, e.Offset})
	}
	return r.with(r.flushed, kept, State{Name: fmt.Sprintf("entry %d, choice %d among %d unflushed writes", i, n, len(r.pending)), Lost: lost, Entry: i})
}

// whole cuts a torn write at the end of a block. A journal of ext4 or XFS is whole or not by its blocks: its last one has a sum over
// all of itself, and half of that is a file system that does not mount, with no program of ours at fault. What a boot loader reads
// has no journal, and is torn at any sector.
func (r *replayer) whole(e Entry, n int) int {
	if r.o.Every != nil && r.o.Every(e) {
		return n
	}
	return int(max((e.Offset+int64(n))/block*block-e.Offset, 0))
}

// settle makes every write so far one that no cut takes away.
func (r *replayer) settle() error {
	for _, e := range r.pending {
		b, err := r.log.Bytes(e)
		if err == nil {
			_, err = r.flushed.write(b, e.Offset)
		}
		if err != nil {
			return err
		}
	}
	r.pending = nil
	return nil
}

type change struct {
	bytes  []byte
	offset int64
}

// with shows a disk with some changes, and takes them back.
func (r *replayer) with(d *Disk, changes []change, s State) error {
	var undo []change
	for _, c := range changes {
		before, err := d.write(c.bytes, c.offset)
		if err != nil {
			return err
		}
		undo = append(undo, change{before, c.offset})
	}
	s.Disk = d
	err := r.look(s)
	for i := len(undo) - 1; i >= 0; i-- {
		if _, err := d.write(undo[i].bytes, undo[i].offset); err != nil {
			return err
		}
	}
	return err
}
