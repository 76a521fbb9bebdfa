package slot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

func TestNoBackend(t *testing.T) {
	s, dir := open(t)
	ctx, b := t.Context(), s.NoBackend()
	expect := func(want Name) {
		t.Helper()
		if n, err := b.Running(ctx); err != nil || n != want {
			t.Errorf("slot %s runs, %v; want %s", n, err, want)
		}
	}
	expect(None)
	for _, n := range []Name{A, B, A, None, None, B} {
		if reboot, err := b.Arm(ctx, n); err != nil || reboot {
			t.Fatalf("Arm(%s): %t, %v", n, reboot, err)
		}
		expect(n)
	}
	if err := b.Commit(ctx, B); err != nil {
		t.Errorf("commit of the running slot: %v", err)
	}
	if err := b.Commit(ctx, A); err == nil {
		t.Error("commit of a slot that does not run")
	}
	if _, err := b.Arm(ctx, "x"); err == nil {
		t.Error("armed slot x")
	}
	expect(B)

	// Another process sees the same, and another one's slots are no concern of the record.
	again, err := Open(dir, durable.Disk{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := again.NoBackend().Running(ctx); err != nil || n != B {
		t.Errorf("after a restart slot %s runs, %v", n, err)
	}
	for _, bad := range []string{"", "b", "c\n", "a\nb\n", "A\n"} {
		if err := os.WriteFile(filepath.Join(dir, runningFile), []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := b.Running(ctx)
		var typed interface{ Reason() string }
		if !errors.As(err, &typed) || typed.Reason() != "slot" {
			t.Errorf("record %q: got %v", bad, err)
		}
		if err := b.Commit(ctx, B); err == nil {
			t.Errorf("record %q: committed", bad)
		}
	}
}
