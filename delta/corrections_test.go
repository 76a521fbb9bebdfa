package delta

import (
	"bytes"
	"testing"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// TestHostileSteps refuses numbers of steps that a patch cannot have or does not declare.
func TestHostileSteps(t *testing.T) {
	if _, err := newCorrections(bytes.NewReader(nil), maxSteps+1); reason(err) != "format" {
		t.Errorf("got %v for too many steps", err)
	}
	c, err := newCorrections(bytes.NewReader(make([]byte, 16)), 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.end(); reason(err) != "format" {
		t.Errorf("got %v for steps that nothing uses", err)
	}
	p := &program.Program{Old: bytes.NewReader(nil)}
	for _, count := range []int64{0, 11} {
		if _, err := c.steps(p, count, 100, func(*step) {}); reason(err) != "format" {
			t.Errorf("got %v for %d steps", err, count)
		}
	}
	if _, err := c.steps(p, 10, 100, func(*step) {}); reason(err) == "" {
		t.Errorf("got %v for steps that lie outside of the files", err)
	}
}
