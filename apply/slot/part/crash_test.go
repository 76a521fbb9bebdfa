package part

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// TestDeviceUnderEveryFault breaks the writing off at every operation. Success is told only of a device that holds the image,
// and the next try finds its way from whatever is there.
func TestDeviceUnderEveryFault(t *testing.T) {
	image := noise(1, 2*chunk+1000)
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			m := newMachine(t)
			place := m.put("/dev/root-b", noise(2, 3*chunk))
			faults := &durabletest.Faults{At: at, Mode: mode}
			_, err := m.write(faults.Disk(), place, image)
			if !faults.Fell() {
				if err != nil || at < 4 {
					t.Fatalf("%s: no fault fell at %d, yet: %v", mode, at, err)
				}
				break
			}
			if err == nil {
				t.Errorf("%s: nobody was told", faults)
			}
			if _, err := m.write(durable.Disk{}, place, image); err != nil || !bytes.HasPrefix(m.read(place), image) {
				t.Errorf("%s: the next try: %v", faults, err)
			}
		}
	}
}

// TestFileUnderEveryFault holds that a file is the old one or the new one, whole, and that nothing is left beside it.
func TestFileUnderEveryFault(t *testing.T) {
	old, image := noise(3, 2000), noise(4, 250_000)
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			m := newMachine(t)
			place := m.put("/efi/EFI/Linux/b.efi", old)
			faults := &durabletest.Faults{At: at, Mode: mode}
			_, err := m.write(faults.Disk(), place, image)
			if got := m.read(place); !bytes.Equal(got, image) && (err == nil || !bytes.Equal(got, old)) {
				t.Errorf("%s: the file is neither the old one nor the new one", faults)
			}
			if !faults.Fell() {
				if err != nil || at < 4 {
					t.Fatalf("%s: no fault fell at %d, yet: %v", mode, at, err)
				}
				break
			}
			if mode == durabletest.Fail && at > 1 {
				m.alone("/efi/EFI/Linux", faults.String())
			}
			if _, err := m.write(durable.Disk{}, place, image); err != nil || !bytes.Equal(m.read(place), image) {
				t.Errorf("%s: the next try: %v", faults, err)
			}
			m.alone("/efi/EFI/Linux", faults.String())
		}
	}
}

// alone wants one file in a folder.
func (m *machine) alone(dir, after string) {
	m.t.Helper()
	entries, err := os.ReadDir(m.Path(dir))
	if err != nil || len(entries) != 1 {
		m.t.Errorf("%s: left in %s: %v, %v", after, dir, entries, err)
	}
}

// TestCutAtRandom cuts the power in the middle of a write, after any number of its sectors. What was good by then is not
// written again.
func TestCutAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	image, before := noise(5, 4*chunk), noise(6, 4*chunk)
	for range 30 {
		m := newMachine(t)
		place := m.put("/dev/root-b", before)
		good := r.IntN(len(image)/512) * 512
		m.cut(place, image, before, good)
		done, err := m.write(durable.Disk{}, place, image)
		if err != nil || !bytes.Equal(m.read(place), image) {
			t.Fatalf("cut after %d bytes, the next try: %v", good, err)
		}
		if whole := int64(good / unit * unit); done.Skipped != whole {
			t.Errorf("cut after %d bytes: %+v", good, done)
		}
	}
}

// cut writes an image of which so many bytes reach the device before the power goes.
func (m *machine) cut(place string, image, before []byte, good int) {
	m.t.Helper()
	at := 0
	_, err := m.write(durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if at += chunk; at <= good {
			return do()
		}
		f, err := os.OpenFile(op.Path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		err = do()
		_, torn := f.WriteAt(before[good:], int64(good))
		return errors.Join(err, torn, durabletest.ErrCrashed)
	}}, place, image)
	if !errors.Is(err, durabletest.ErrCrashed) {
		m.t.Fatalf("the power did not go: %v", err)
	}
}

// A device that vanishes in the middle is told as what it is, and the next run goes on.
func TestDeviceVanishes(t *testing.T) {
	for _, gone := range []error{syscall.EIO, syscall.ENXIO, syscall.ENODEV} {
		m := newMachine(t)
		image := noise(7, 3*chunk)
		place := m.put("/dev/root-b", noise(8, len(image)))
		writes := 0
		vanished := durable.Disk{Intercept: func(op durable.Op, do func() error) error {
			if writes++; writes > 1 {
				return &os.PathError{Op: "write", Path: op.Path, Err: gone}
			}
			return do()
		}}
		_, err := m.write(vanished, place, image)
		if !errors.Is(err, gone) || !strings.Contains(err.Error(), place) || reasonOf(err) != "" {
			t.Errorf("got %v", err)
		}
		done, err := m.write(durable.Disk{}, place, image)
		if err != nil || done.Skipped != chunk {
			t.Errorf("the next try: %+v, %v", done, err)
		}
	}
}

// A piece of the device that cannot be read, such as a block that was never written or went bad, does not stop the writing.
func TestWhatCannotBeReadIsWritten(t *testing.T) {
	m := newMachine(t)
	image := noise(9, 3*chunk)
	place := m.put("/dev/root-b", image)
	target, err := m.fit(place, len(image))
	if err != nil {
		t.Fatal(err)
	}
	w, err := target.Open(t.Context(), durable.Disk{}, "root", int64(len(image)), digest.FromBytes(image))
	if err != nil {
		t.Fatal(err)
	}
	d := w.to.(*deviceWriter)
	d.olds.close()
	d.olds = readAhead(badChunk{d.f}, d.size, d.sector)
	if _, err := w.Write(image); err != nil {
		t.Fatal(err)
	}
	done, err := w.Finish(t.Context())
	if err != nil || done != (Written{Bytes: chunk, Skipped: 2 * chunk}) {
		t.Errorf("%+v, %v", done, err)
	}
}

// badChunk cannot be read in its second chunk.
type badChunk struct{ io.ReaderAt }

func (b badChunk) ReadAt(p []byte, off int64) (int, error) {
	if off == chunk {
		return 0, syscall.EIO
	}
	return b.ReaderAt.ReadAt(p, off)
}
