package uboot

import (
	"strings"
	"testing"
)

func TestParseConfig(t *testing.T) {
	const text = `# MTD, then a disk
/dev/mtd1	0x0000	0x4000	0x10000	2	1

   # and that is all
/dev/mtd2	-16384	4000 # the end
`
	places, err := parseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []place{
		{device: "/dev/mtd1", size: 0x4000, sector: 0x10000, blocks: 2, noLock: true},
		{device: "/dev/mtd2", offset: -16384, size: 0x4000},
	}
	if len(places) != 2 || places[0] != want[0] || places[1] != want[1] {
		t.Errorf("got %+v", places)
	}
}

// An offset has its base in front of it, a size is hexadecimal without: what fw_printenv makes of both.
func TestParseConfigNumbers(t *testing.T) {
	places, err := parseConfig([]byte("/env 010 10"))
	if err != nil || places[0].offset != 8 || places[0].size != 16 {
		t.Errorf("got %+v, %v", places, err)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "names no place",
		"# /dev/mtd1 0 0x4000":                  "names no place",
		"/dev/mtd1 0":                           "line 1: it has 2 fields",
		"/env 0 4000 1 1 1 1":                   "7 fields",
		"/env 0x 4000":                          `the offset "0x"`,
		"/env 08 4000":                          `the offset "08"`,
		"/env 1_0 4000":                         `the offset "1_0"`,
		"/env 0xfffffffffffffffff 4000":         "the offset",
		"/env 0 16k":                            `the size "16k"`,
		"/env 0 -4000":                          `the size "-4000"`,
		"/env 0 0":                              "the size is 0x0",
		"/env 0 0x10000000":                     "the size is 0x10000000",
		"/env 0 4000 zz":                        "the size of an erase block",
		"/env 0 4000 4000 1000":                 "the number of erase blocks",
		"/env 0 4000 4000 1 2":                  "the last field",
		"/a 0 4000\n/b 0 4000\n/c 0 4000":       "names 3 places",
		"/a 0 4000\n/b 0 8000":                  "must be of one size",
		"/a 0 4000\n/a 0x2000 4000":             "overlap",
		"/a 0 4000 4000 4\n/a 0x8000 4000":      "overlap",
		"/a 0 4000\n/a 0 4000":                  "overlap",
		"ok 0 4000\nbad 0":                      "line 2",
		"/" + strings.Repeat("x", 130) + " 0 1": "longer than",
	} {
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{"/dev/mtd1 0 0x4000 0x10000 2 1", "/a -0x10 4000 # c\n/b 010 4000", "#\n", "/a 0 16k", "/a 0"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		places, err := parseConfig(data)
		if err != nil {
			return
		}
		if len(places) == 0 || len(places) > maxPlaces {
			t.Fatalf("%d places", len(places))
		}
		for _, p := range places {
			if p.size < minSize || p.size > maxSize || p.sector < 0 || p.sector*p.blocks > maxSector*maxBlocks || p.device == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}
