package program

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"runtime"
	"testing"
)

// TestPrepareAlone finds the same with one core and with several.
func TestPrepareAlone(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	found := func(cores int) *Program {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		p := Describe(self, self)
		if p == nil {
			t.Fatal("not described")
		}
		p.Spans = []Span{{0, 0, 1 << 20}, {1 << 20, 1 << 20, int64(len(self)) - 1<<20}}
		if err := p.Prepare(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := found(1), found(4)
	for name, same := range map[string]bool{
		"references": reflect.DeepEqual(a.refs, b.refs),
		"groups":     reflect.DeepEqual(a.groups, b.groups),
		"lines":      reflect.DeepEqual(a.lines.linePlaces, b.lines.linePlaces),
		"buckets":    bytes.Equal(a.buckets, b.buckets),
	} {
		if !same {
			t.Errorf("other %s with four cores than with one", name)
		}
	}
	if f, err := a.functionScan(); err != nil || f == nil || len(f.pieces) < 1 {
		t.Errorf("no pieces of functions: %v", err)
	}
}

func TestParallel(t *testing.T) {
	done := make([]bool, 50)
	var jobs []func() error
	for i := range done {
		jobs = append(jobs, func() error {
			if done[i] = true; i == 7 {
				return io.EOF
			} else if i == 9 {
				return io.ErrNoProgress
			}
			return nil
		})
	}
	if err := parallel(jobs); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the error of the first job that failed", err)
	}
	for i, ok := range done {
		if !ok {
			t.Errorf("job %d was not done", i)
		}
	}
}
