package uboot

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// model is a chip: a write can only clear bits, an erasure sets all of a block. power is how many bytes are written or
// erased before it goes; negative is for ever.
type model struct {
	data     []byte
	block    int64
	badBlock map[int64]bool
	locked   map[int64]bool
	power    int
	ops      int
}

var errPower = errors.New("the power has gone")

func newModel(blocks, block int64) *model {
	return &model{data: bytes.Repeat([]byte{0xff}, int(blocks*block)), block: block, badBlock: map[int64]bool{}, locked: map[int64]bool{}, power: -1}
}

func (m *model) open(bool) (chip, error) { return m, nil }
func (m *model) Close() error            { return nil }

func (m *model) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > int64(len(m.data)) {
		return 0, io.EOF
	}
	return copy(p, m.data[off:]), nil
}

// spend changes byte by byte while there is power.
func (m *model) spend(off, n int64, change func(i int64)) error {
	if m.badBlock[off/m.block*m.block] || m.locked[off/m.block*m.block] {
		return errors.New("the block is bad or locked")
	}
	for i := range n {
		if m.power == m.ops {
			return errPower
		}
		m.ops++
		change(off + i)
	}
	return nil
}

func (m *model) WriteAt(p []byte, off int64) (int, error) {
	return len(p), m.spend(off, int64(len(p)), func(i int64) { m.data[i] &= p[i-off] })
}

func (m *model) erase(off, n int64) error {
	if off%m.block != 0 || n%m.block != 0 {
		return errors.New("not an erase block")
	}
	return m.spend(off, n, func(i int64) { m.data[i] = 0xff })
}

func (m *model) bad(off int64) (bool, error) { return m.badBlock[off], nil }

func (m *model) unlock(off, _ int64) (bool, error) {
	was := m.locked[off]
	delete(m.locked, off)
	return was, nil
}

func (m *model) lock(off, _ int64) error {
	m.locked[off] = true
	return nil
}

// flashStore is an environment of 48 bytes in two places of a chip, with something behind each.
func flashStore(t *testing.T, m *model, s scheme, offsets [2]int64, blocks int64) *store {
	t.Helper()
	st := &store{}
	for _, off := range offsets {
		f, err := newFlash(place{device: "/dev/mtd1", offset: off, size: 48, sector: m.block, blocks: blocks}, int64(len(m.data)), m.block, s, m.open)
		if err != nil {
			t.Fatal(err)
		}
		st.media = append(st.media, f)
	}
	return st
}

func (s *store) again() error { return s.read([]place{{size: 48}, {size: 48}}) }

// begin writes both copies and something behind the second.
func begin(t *testing.T, m *model, s scheme, offsets [2]int64, blocks int64) *store {
	t.Helper()
	st := flashStore(t, m, s, offsets, blocks)
	data, err := env{"a=0", "b=keep"}.marshal(43)
	if err != nil {
		t.Fatal(err)
	}
	for i, flags := range []byte{flagActive, flagObsolete} {
		if err := st.media[i].write(newImage(data, true, flags)); err != nil {
			t.Fatal(err)
		}
	}
	copy(m.data[offsets[1]+50:], "beyond")
	if err := st.again(); err != nil {
		t.Fatal(err)
	}
	return st
}

// openwrt#16618: on NOR the copy that counts is active and the other one obsolete, whatever U-Boot or fw_setenv writes next.
func TestNorMarksTheOldCopyObsolete(t *testing.T) {
	m := newModel(4, 64)
	st := begin(t, m, activity, [2]int64{0, 128}, 1)
	for i, want := range []struct{ a, b byte }{{0, 1}, {1, 0}, {0, 1}} {
		if err := st.save(st.env.set("a", string(rune('1'+i)))); err != nil {
			t.Fatal(err)
		}
		if m.data[flagsAt] != want.a || m.data[128+flagsAt] != want.b {
			t.Errorf("save %d: the flags are %d and %d", i, m.data[flagsAt], m.data[128+flagsAt])
		}
		if got, _, _ := st.env.get("a"); got != string(rune('1'+i)) {
			t.Errorf("save %d: a=%s", i, got)
		}
	}
	if string(m.data[128+50:][:6]) != "beyond" {
		t.Error("what lies behind the environment in its block is lost")
	}
}

func TestNandCountsAndSkipsBadBlocks(t *testing.T) {
	m := newModel(6, 32)
	m.badBlock[32], m.badBlock[96] = true, true
	st := begin(t, m, counter, [2]int64{0, 96}, 3)
	for i := range 3 {
		if err := st.save(st.env.set("a", string(rune('1'+i)))); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := st.env.get("a"); got != string(rune('1'+i)) || st.images[st.newest].flags != byte(2+i) {
			t.Errorf("save %d: a=%s, flags %d", i, got, st.images[st.newest].flags)
		}
	}
	m.badBlock[128] = true
	if err := st.media[1].write(make([]byte, 48)); err == nil || !strings.Contains(err.Error(), "too few good erase blocks") {
		t.Errorf("got %v", err)
	}
}

func TestFlashIsLockedAgain(t *testing.T) {
	m := newModel(4, 64)
	st := begin(t, m, activity, [2]int64{0, 128}, 1)
	m.locked[0], m.locked[128] = true, true
	if err := st.save(st.env.set("a", "1")); err != nil {
		t.Fatal(err)
	}
	if !m.locked[0] || !m.locked[128] || len(m.locked) != 2 {
		t.Errorf("locked: %v", m.locked)
	}
}

// After a cut at any byte the old environment counts or the new one, and the next save goes through.
func TestFlashCutAnywhere(t *testing.T) {
	for name, s := range map[string]scheme{"nor": activity, "nand": counter} {
		t.Run(name, func(t *testing.T) {
			states := 0
			for power := 0; ; power++ {
				m := newModel(4, 64)
				st := begin(t, m, s, [2]int64{0, 128}, 1)
				m.power, m.ops = power, 0
				cut := st.save(st.env.set("a", "1"))
				m.power = -1
				if err := st.again(); err != nil {
					t.Fatalf("cut after %d bytes: %v", power, err)
				}
				got, _, _ := st.env.get("a")
				if kept, _, _ := st.env.get("b"); got != "0" && got != "1" || cut == nil && got != "1" || kept != "keep" {
					t.Errorf("cut after %d bytes: a=%s", power, got)
				}
				if err := st.save(st.env.set("a", "2")); err != nil {
					t.Errorf("cut after %d bytes, the next save: %v", power, err)
				}
				if cut == nil {
					break
				}
				states++
			}
			if states < 128 {
				t.Errorf("%d states", states)
			}
		})
	}
}

func TestPlacesThatFlashDoesNotHave(t *testing.T) {
	for want, p := range map[string]place{
		"erase blocks of 0x40":            {sector: 96, size: 48},
		"not where an erase block begins": {offset: 8, size: 48},
		"less than the configuration":     {offset: 256, size: 48},
		"do not hold":                     {sector: 64, blocks: 1, size: 65},
		"offset 0x-40":                    {offset: -64, size: 48},
	} {
		if _, err := newFlash(p, 256, 64, activity, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", p, err, want)
		}
	}
	if f, err := newFlash(place{size: 65}, 256, 64, activity, nil); err != nil || f.blocks != 2 || f.sector != 64 {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestTwoKindsOfFlash(t *testing.T) {
	media := []medium{&flash{flags: activity}, &flash{flags: counter}}
	if err := apart(Config{}.Host, []place{{}, {}}, media); err == nil || !strings.Contains(err.Error(), "two kinds") {
		t.Errorf("got %v", err)
	}
}
