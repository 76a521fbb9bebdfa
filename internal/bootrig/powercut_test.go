package bootrig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/bootrig/replay"
	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// update is a whole update: written, armed, booted, committed.
func update(r *Running) error {
	return steps(firstUp, arm(Good), boots(away, Good), confirms(0, "committed"))(r)
}

// grubLook is how GRUB sees a machine of the yard that goes to Good.
func grubLook(t *testing.T, y *Yard, l *Layout) Look {
	t.Helper()
	look, err := y.LookAsGRUB(l, map[string][]string{home: {y.Images[First]}, away: {y.Images[First], y.Images[Good]}})
	if err != nil {
		t.Fatal(err)
	}
	return look
}

// cutEverywhere looks at what power cuts leave of an update, at least at so many disks, and boots some of them.
func cutEverywhere(t *testing.T, y *Yard, states, subsets, booted int) {
	rec, err := y.Record(t.Context(), t.TempDir(), update)
	if err != nil {
		t.Fatal(err)
	}
	look := grubLook(t, y, rec.Before.Layout)
	dir := t.TempDir()
	var saved []string
	seen, bad := 0, 0
	each := func(s replay.State) error {
		if seen++; s.Lost && len(saved) < booted && seen >= (len(saved)+1)*states/(booted+1) {
			file := filepath.Join(dir, fmt.Sprintf("cut-%d.img", seen))
			if err := s.Save(file); err != nil {
				return err
			}
			t.Logf("to be booted: %s: %s", filepath.Base(file), s.Name)
			saved = append(saved, file)
		}
		return look(s)
	}
	n, err := rec.CutEverywhere(each, 1, subsets, func(s replay.State, err error) {
		if bad++; bad <= 5 {
			t.Errorf("%s: %v", s.Name, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d disks looked at, %d of them bad", n, bad)
	if n < states || len(saved) < booted {
		t.Errorf("%d disks looked at and %d kept, want %d and %d", n, len(saved), states, booted)
	}
	for _, file := range saved {
		if err := comesUp(t.Context(), rec.Before, file); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

// comesUp boots a disk and wants it to end, by itself, with one of the two releases: in its slot, and with its manifests.
func comesUp(ctx context.Context, like *Machine, disk string) error {
	m := *like
	m.Disk = filepath.Join(filepath.Dir(disk), "up-"+filepath.Base(disk), "disk.img")
	if err := os.MkdirAll(filepath.Dir(m.Disk), 0o755); err != nil {
		return err
	}
	if err := os.Rename(disk, m.Disk); err != nil {
		return err
	}
	r, err := m.Switch(ctx)
	if err != nil {
		return err
	}
	defer r.Off()
	if _, err := r.ends(); err != nil {
		return fmt.Errorf("%w\n%s", err, r.Console())
	}
	return nil
}

// planted is an update up to its reboot, by a program with a bug in it. No journal of the guest's commits meanwhile by its own clock: that
// flushes the whole disk, and on a machine that is slow enough does in time what the program has left out.
func planted(program string) func(*Running) error {
	patient := func(folder string) func(*Running) error {
		return func(r *Running) error { return r.Do(wire.Request{Remount: folder, Options: "commit=3600"}) }
	}
	return steps(firstUp, patient("/var/lib"), patient("/boot"), func(r *Running) error {
		a, err := r.vm.Do(verbTime, wire.Request{Run: []string{program, "apply", Bundle(Good), "--json", "--progress", "none"}})
		if err == nil && a.Exit != 0 {
			err = fmt.Errorf("exit %d: %s%s", a.Exit, a.Out, a.Err)
		}
		return err
	})
}
