package part

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// machine is a folder that stands for a machine, with files that stand for its devices.
type machine struct {
	host.Host
	t *testing.T
}

func newMachine(t *testing.T) *machine {
	return &machine{host.Host{Root: t.TempDir()}, t}
}

// put writes a file of the machine and makes its folders.
func (m *machine) put(path string, data []byte) string {
	m.t.Helper()
	real := m.Path(path)
	if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(real, data, 0o644); err != nil {
		m.t.Fatal(err)
	}
	return path
}

func (m *machine) read(path string) []byte {
	m.t.Helper()
	b, err := os.ReadFile(m.Path(path))
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// fit is Fit with one part, root.
func (m *machine) fit(place string, size int) (*Target, error) {
	return Fit(m.Host, Places{"root": place}, Places{}, map[string]int64{"root": int64(size)})
}

// write writes an image to the place of part root.
func (m *machine) write(disk durable.Disk, place string, image []byte) (Written, error) {
	m.t.Helper()
	target, err := m.fit(place, len(image))
	if err != nil {
		m.t.Fatal(err)
	}
	return writeTo(target, disk, image)
}

func writeTo(target *Target, disk durable.Disk, image []byte) (Written, error) {
	ctx := context.Background()
	w, err := target.Open(ctx, disk, "root", int64(len(image)), digest.FromBytes(image))
	if err != nil {
		return Written{}, err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(image)}, make([]byte, 100_001)); err != nil {
		return Written{}, errors.Join(err, w.Close())
	}
	done, err := w.Finish(ctx)
	return done, errors.Join(err, w.Close())
}

// noise is bytes of which no two blocks are alike.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), 1})
	_, _ = r.Read(b) // never fails
	return b
}

func reasonOf(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return ""
}

// unfit wants a refusal that tells of a text and what to do.
func unfit(t *testing.T, err error, text string) {
	t.Helper()
	var u *UnfitError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), text) || u.Hint() == "" || u.Reason() != "part" {
		t.Errorf("got %v, want an UnfitError that says %q", err, text)
	}
}

func TestWriteOnlyWhatDiffers(t *testing.T) {
	m := newMachine(t)
	const size = 3*chunk + 5*unit + 700
	image := noise(1, size)
	clear(image[chunk/2 : chunk/2+3*longZeros])
	device := noise(2, size+3*unit)
	place := m.put("/dev/root-b", device)
	done, err := m.write(durable.Disk{}, place, image)
	if err != nil {
		t.Fatal(err)
	}
	if done.Bytes+done.Zeroed != size || done.Skipped != 0 {
		t.Errorf("of %d new bytes: %+v", size, done)
	}
	want := append(bytes.Clone(image), device[size:]...)
	if !bytes.Equal(m.read(place), want) {
		t.Fatal("the device holds something else, or what lies beyond the image has changed")
	}

	again, err := m.write(durable.Disk{}, place, image)
	if err != nil || again != (Written{Skipped: size}) {
		t.Errorf("the same image again: %+v, %v", again, err)
	}

	image[2*chunk+3*unit+17] ^= 1
	changed, err := m.write(durable.Disk{}, place, image)
	if err != nil || changed != (Written{Bytes: unit, Skipped: size - unit}) {
		t.Errorf("one byte changed: %+v, %v", changed, err)
	}
}

// Sizes around the borders of units, sectors and chunks.
func TestWriteEverySize(t *testing.T) {
	for _, size := range []int{1, 511, 512, 513, unit - 1, unit, unit + 1, chunk - 1, chunk, chunk + 1, 2*chunk + 511, 4 * chunk} {
		m := newMachine(t)
		device := noise(3, 4*chunk+unit)
		place := m.put("/dev/root-b", device)
		image := noise(4, size)
		if _, err := m.write(durable.Disk{}, place, image); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if got := m.read(place); !bytes.Equal(got[:size], image) || !bytes.Equal(got[size:], device[size:]) {
			t.Errorf("%d bytes: the device holds something else", size)
		}
	}
}

func TestWriteToTheLastSector(t *testing.T) {
	m := newMachine(t)
	place := m.put("/dev/root-b", make([]byte, chunk+512))
	image := noise(5, chunk+512)
	if _, err := m.write(durable.Disk{}, place, image); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.read(place), image) {
		t.Error("the device holds something else")
	}
}

func TestWrongImages(t *testing.T) {
	m := newMachine(t)
	place := m.put("/dev/root-b", make([]byte, chunk))
	target, err := m.fit(place, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 999, 1001} {
		w, err := target.Open(t.Context(), durable.Disk{}, "root", 1000, digest.FromString("x"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, n))
		if err == nil {
			_, err = w.Finish(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "part root") {
			t.Errorf("%d of 1000 bytes: %v", n, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := target.Open(t.Context(), durable.Disk{}, "kernel", 1000, digest.FromString("x")); err == nil {
		t.Error("a part that was not looked at was opened")
	}
}

// A medium that gives back other bytes than it got is found before anything is armed.
func TestReadBackFindsALyingDevice(t *testing.T) {
	m := newMachine(t)
	place := m.put("/dev/root-b", make([]byte, 4*chunk))
	lies := durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if op.Kind == durable.OpSync {
			f, err := os.OpenFile(op.Path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("old"), 2*chunk)
			return errors.Join(err, do())
		}
		return do()
	}}
	_, err := m.write(lies, place, noise(6, 3*chunk))
	if reasonOf(err) != "io" || !strings.Contains(err.Error(), "does not give back") {
		t.Errorf("got %v", err)
	}
}

// rauc#1706, erofs-utils#38: a range that the device was told to zero, or to discard, reads back as old data. Zeros that
// the device does not give back are written.
func TestZerosThatAreNotWritten(t *testing.T) {
	m := newMachine(t)
	image := noise(7, 4*chunk)
	clear(image[chunk : 3*chunk]) // and so that 40 % and more of it are zeros
	place := m.put("/dev/root-b", bytes.Repeat([]byte{0xaa}, 4*chunk))
	target, err := m.fit(place, len(image))
	if err != nil {
		t.Fatal(err)
	}
	w, err := target.Open(t.Context(), durable.Disk{}, "root", int64(len(image)), digest.FromBytes(image))
	if err != nil {
		t.Fatal(err)
	}
	w.to.(*deviceWriter).zeroOut = func(*os.File, int64, int64) error { return nil }
	if _, err := w.Write(image); err != nil {
		t.Fatal(err)
	}
	done, err := w.Finish(t.Context())
	if err != nil || done.Zeroed != 0 || done.Bytes != 4*chunk {
		t.Errorf("%+v, %v", done, err)
	}
	if !bytes.Equal(m.read(place), image) {
		t.Error("old data shows where zeros should be")
	}
}
