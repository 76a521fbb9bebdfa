package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// vanish is a device that is pulled out of the machine before operation at on it, and plugged in again when the verb has ended.
type vanish struct {
	at    int
	path  string
	count int
	gone  bool
}

// Disk returns a disk of which the device is a part.
func (v *vanish) Disk() durable.Disk { return durable.Disk{Intercept: v.intercept} }

// Fell tells whether the device was pulled out.
func (v *vanish) Fell() bool { return v.gone }

// String names the operation.
func (v *vanish) String() string {
	return fmt.Sprintf("%s is gone at operation %d on it", v.path, v.at)
}

func (v *vanish) intercept(op durable.Op, do func() error) error {
	if !strings.Contains(op.Path, "/by-partlabel/") {
		return do()
	}
	v.count++
	if v.count > v.at && !v.gone {
		v.gone, v.path = true, op.Path
		if err := os.Rename(v.path, v.path+".pulled"); err != nil {
			return err
		}
	}
	if v.gone {
		return syscall.ENXIO
	}
	return do()
}

// back plugs the device in again.
func (v *vanish) back(t *testing.T) {
	t.Helper()
	if err := os.Rename(v.path+".pulled", v.path); err != nil {
		t.Fatal(err)
	}
}

// blocks is the size of the devices of a machine in the matrix, in bytes.
const blocks = 8192

// vanishing gives the machine devices, where the life is about one of them.
func (s *bootSite) vanishing(l life) {
	if !l.vanishes {
		return
	}
	s.devices = s.t.TempDir()
	s.start(s.cfg.Spec.State, s.world)
	for _, n := range []slot.Name{slot.A, slot.B} {
		path := s.deps.Host.Path(s.cfg.Spec.Slots.places(n)["root"])
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.Repeat("\xaa", blocks)), 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// plug makes the slots' places devices, if the machine has any.
func (s *bootSite) plug() {
	if s.devices != "" {
		devicesIn(s.testSite, s.devices)
	}
}

// resumes wants an update to end with the error of its medium (exit status 1) where a device vanishes, and the same command to bring it
// once that is back.
func (s *bootSite) resumes(b sealed) error {
	_, err := s.apply(b)
	fell, _ := s.fell()
	if !fell {
		return err
	}
	if word := reasonOf(err); word != "io" && word != "" || !errors.Is(err, syscall.ENXIO) {
		s.wild = fmt.Sprintf("a device vanishes, and the update ends with %v", err)
	}
	if res, err := s.apply(b); err != nil || res.Result != ResultArmed {
		s.wild = fmt.Sprintf("the device is back, and the update ends with %+v, %v", res, err)
	}
	return nil
}
