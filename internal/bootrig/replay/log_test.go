package replay

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// record makes a recording of entries; data are their bytes.
func record(entries []Entry, data [][]byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, Sector)
	le.PutUint64(b, magic)
	le.PutUint64(b[8:], version)
	le.PutUint64(b[16:], uint64(len(entries)))
	le.PutUint32(b[24:], Sector)
	for i, e := range entries {
		head := make([]byte, Sector)
		le.PutUint64(head, uint64(e.Offset/Sector))
		le.PutUint64(head[8:], uint64(len(data[i])/Sector))
		le.PutUint64(head[16:], uint64(e.Flags))
		b = append(append(b, head...), data[i]...)
	}
	return b
}

func sectors(fill string) []byte {
	var b []byte
	for _, c := range fill {
		b = append(b, bytes.Repeat([]byte{byte(c)}, Sector)...)
	}
	return b
}

func TestLogGivesWhatWasRecorded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	want := []Entry{{Offset: 3 * Sector}, {Flags: Flush}, {Offset: 0, Flags: FUA}}
	data := [][]byte{sectors("ab"), nil, sectors("c")}
	if err := os.WriteFile(file, record(want, data), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(l.Entries) != len(want) {
		t.Fatalf("%d entries, want %d", len(l.Entries), len(want))
	}
	for i, e := range l.Entries {
		b, err := l.Bytes(e)
		if err != nil || !bytes.Equal(b, data[i]) || e.Offset != want[i].Offset || e.Flags != want[i].Flags {
			t.Errorf("entry %d: %+v, %d bytes, %v", i, e, len(b), err)
		}
	}
}

func TestLogRefusesWhatIsNone(t *testing.T) {
	good := record([]Entry{{}}, [][]byte{sectors("a")})
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] ^= v
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:20], "magic": change(0, 1), "version": change(8, 4), "sector size": change(25, 1),
		"too many": change(19, 0xff), "cut": good[:Sector+8], "endless": change(Sector+15, 1), "mark": change(Sector+16, byte(Mark)),
	} {
		if _, err := entries(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: taken for a recording", name)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add(record([]Entry{{}, {Flags: Flush}}, [][]byte{sectors("a"), nil}))
	f.Add([]byte(strings.Repeat("x", 600)))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := entries(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, e := range all {
			if e.Offset < 0 || e.Size < 0 || e.Size > maxWrite || e.at < Sector {
				t.Errorf("%+v", e)
			}
		}
	})
}
