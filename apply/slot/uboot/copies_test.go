package uboot

import (
	"errors"
	"testing"
)

// openwrt#16618: pairs on NOR flash and dataflash are told apart by active (1) and obsolete (0), others by a counter.
func TestNewest(t *testing.T) {
	for _, c := range []struct {
		s    scheme
		a, b byte
		want int
	}{
		{counter, 1, 0, 0}, {counter, 0, 1, 1}, {counter, 5, 5, 0}, {counter, 255, 0, 1}, {counter, 0, 255, 0}, {counter, 254, 255, 1},
		{counter, 255, 254, 0}, {counter, 1, 255, 1}, {counter, 200, 1, 0},
		{activity, 1, 0, 0}, {activity, 0, 1, 1}, {activity, 1, 1, 0}, {activity, 0, 0, 0}, {activity, 255, 0, 0}, {activity, 0, 255, 1},
		{activity, 255, 1, 0}, {activity, 1, 255, 1}, {activity, 2, 3, 0},
	} {
		got, err := newest(c.s, []image{{flags: c.a, good: true}, {flags: c.b, good: true}})
		if err != nil || got != c.want {
			t.Errorf("scheme %d, flags %d and %d: got %d, %v, want %d", c.s, c.a, c.b, got, err, c.want)
		}
	}
}

func TestNewestOfDamagedCopies(t *testing.T) {
	good, bad := image{flags: 1, good: true}, image{flags: 9}
	for _, c := range []struct {
		copies []image
		want   int
	}{{[]image{good, bad}, 0}, {[]image{bad, good}, 1}, {[]image{good}, 0}} {
		if got, err := newest(counter, c.copies); err != nil || got != c.want {
			t.Errorf("%+v: got %d, %v", c.copies, got, err)
		}
	}
	for _, copies := range [][]image{{bad, bad}, {bad}} {
		if _, err := newest(counter, copies); !errors.Is(err, errNoGoodCopy) {
			t.Errorf("%+v: %v", copies, err)
		}
	}
}

func TestNextFlags(t *testing.T) {
	if counter.next(0) != 1 || counter.next(255) != 0 || activity.next(0) != 1 || activity.next(255) != 1 {
		t.Error("the flags of the next copy are wrong")
	}
}

func TestImageIsItsOwnInverse(t *testing.T) {
	for _, redundant := range []bool{false, true} {
		img := parseImage(newImage([]byte("a=1\x00\x00"), redundant, 7), redundant)
		if !img.good || string(img.data) != "a=1\x00\x00" || redundant != (img.flags == 7) {
			t.Errorf("got %+v", img)
		}
		img.raw[len(img.raw)-1]++
		if parseImage(img.raw, redundant).good {
			t.Error("a wrong CRC is right")
		}
	}
}
