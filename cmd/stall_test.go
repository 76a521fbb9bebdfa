package cmd

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// stuck is a medium that gives nothing and cannot be told to stop.
type stuck struct{ never chan struct{} }

func (s stuck) Read([]byte) (int, error) {
	<-s.never
	return 0, io.EOF
}

func TestPatientReader(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	ctx, cancel := context.WithCancel(context.Background())
	r := &patientReader{ctx: ctx, r: stuck{never}, name: "stick", limit: time.Hour}
	time.AfterFunc(20*time.Millisecond, cancel)
	began := time.Now()
	if _, err := r.Read(make([]byte, 10)); !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("a signal: %v after %s", err, time.Since(began))
	}
	if _, err := r.Read(make([]byte, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("once more: %v", err)
	}
	r = &patientReader{ctx: context.Background(), r: stuck{never}, name: "stick", limit: 20 * time.Millisecond}
	if _, err := r.Read(make([]byte, 10)); reason(err) != "stalled" || exitCode(err) != exitUnexpected {
		t.Errorf("a stall: %v", err)
	}
}

// The limit is on how long nothing comes, and what comes is what was there.
func TestPatientReaderGivesWhatIsThere(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	r := &patientReader{ctx: context.Background(), r: strings.NewReader(text), name: "stick", limit: time.Hour}
	if b, err := io.ReadAll(r); err != nil || string(b) != text {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	r = &patientReader{ctx: context.Background(), r: iotest.DataErrReader(strings.NewReader("abc")), name: "stick"}
	if b, err := io.ReadAll(r); err != nil || string(b) != "abc" {
		t.Errorf("%q, %v", b, err)
	}
	broken := errors.New("input/output error")
	r = &patientReader{ctx: context.Background(), r: iotest.ErrReader(broken), name: "stick"}
	if _, err := io.ReadAll(r); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}
