package mirror

import "testing"

func TestParseRange(t *testing.T) {
	for s, want := range map[string]int64{"0-0": 0, "0-41": 42, "bytes=0-9": 10, "0-8589934590": 8589934591} {
		if got, ok := parseRange(s); !ok || got != want {
			t.Errorf("%q gave %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", "0-", "1-5", "0--1", "0-+1", "0-x", "0-99999999999999999999", "bytes 0-1/2"} {
		if got, ok := parseRange(s); ok {
			t.Errorf("%q gave %d", s, got)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"0-0", "0-41", "bytes=0-9", "-", "0-+1", "0-9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseRange(s); ok && n < 0 {
			t.Errorf("%q gave %d", s, n)
		}
	})
}
