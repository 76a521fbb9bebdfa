package part

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// deviceWriter compares an image with what is on a block device and writes what differs. Three work side by side: who brings
// the image, who reads the device ahead, and who writes.
type deviceWriter struct {
	disk   durable.Disk
	f      *os.File
	path   string
	size   int64
	sector int
	direct bool // it is written past the page cache
	olds   *ahead

	now     []byte // the chunk that is being filled
	full    chan []byte
	free    chan []byte
	done    chan struct{} // closed when the last chunk is written, or one could not be
	closing sync.Once
	err     error // why no more is written; read it once done is closed
	// zeroOut lets the device write zeros by itself; nil if it does not.
	zeroOut  func(f *os.File, off, n int64) error
	unsynced int64 // bytes
	written  Written
}

// syncEvery bounds the bytes that wait in memory to be written, where a device cannot be written past the page cache.
const syncEvery = 16 << 20

// openDevice opens a device that nobody else may use, and makes sure that it is the one that was looked at.
func (t *Target) openDevice(disk durable.Disk, p *place, size int64) (*deviceWriter, error) {
	f, direct, err := open(p.real, os.O_RDWR|p.exclusive())
	if errors.Is(err, unix.EBUSY) {
		return nil, p.unfit("find out who uses it: lsblk; fuser -v "+p.path, "it is in use")
	}
	if err != nil {
		return nil, p.plain(err)
	}
	if err := t.sameDevice(f, p); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w := &deviceWriter{disk: disk, f: f, path: p.real, size: size, sector: sector(f), direct: direct, zeroOut: zeroOut,
		full: make(chan []byte, deep), free: make(chan []byte, deep), done: make(chan struct{})}
	for range deep {
		w.free <- aligned(chunk)
	}
	w.olds = readAhead(f, size, w.sector)
	go w.run()
	return w, nil
}

// sameDevice looks at the device itself that was opened: a name may have been given to another one meanwhile.
func (t *Target) sameDevice(f *os.File, p *place) error {
	info, err := f.Stat()
	if err != nil {
		return p.plain(err)
	}
	dev, ok := deviceAt(t.host, p.path)
	if st, known := info.Sys().(*syscall.Stat_t); known && info.Mode()&os.ModeDevice != 0 {
		dev = uint64(st.Rdev) //nolint:unconvert // its type is another one on other systems
	}
	if !ok || dev != p.dev {
		return p.unfit(renamed, "it was block device %s when it was looked at, and is another one now", number(p.dev))
	}
	return nil
}

// Write takes the next bytes of the image.
func (w *deviceWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if w.now == nil {
			select {
			case b := <-w.free:
				w.now = b[:0]
			case <-w.done:
				return n, w.err
			}
		}
		m := min(len(p), chunk-len(w.now))
		w.now = append(w.now, p[:m]...)
		n, p = n+m, p[m:]
		if len(w.now) == chunk {
			w.pass()
		}
	}
	return n, nil
}

// pass gives a chunk to be written. There are no more chunks than find room.
func (w *deviceWriter) pass() {
	w.full <- w.now
	w.now = nil
}

// run writes the chunks as they come.
func (w *deviceWriter) run() {
	defer close(w.done)
	off := int64(0)
	for now := range w.full {
		if w.err = w.chunk(now, off); w.err != nil {
			return
		}
		off += int64(len(now))
		w.free <- now[:0]
	}
}

// chunk writes what of a chunk differs from what is there. What cannot be read is written; if the device is gone, that
// fails.
func (w *deviceWriter) chunk(now []byte, off int64) error {
	old, err := w.olds.next()
	if err != nil {
		old = nil
	}
	n := len(now)
	if n%w.sector != 0 { // the image's last bytes: the rest of their sector stays as it is
		end := int(roundUp(int64(n), w.sector))
		if len(old) < end {
			return fmt.Errorf("read the sector of byte %d: %w", off+int64(n), cmp.Or(err, io.ErrUnexpectedEOF))
		}
		now = append(now, old[n:end]...)
	}
	for _, s := range spans(now, old) {
		zeroed, err := w.span(now[s.from:s.to], off+int64(s.from), s.zeros)
		if err != nil {
			return err
		}
		if of := int64(min(s.to, n) - s.from); zeroed {
			w.written.Zeroed += of
		} else {
			w.written.Bytes += of
		}
	}
	return w.bounded()
}

// span writes a piece that differs, and tells whether the device wrote the zeros of it.
func (w *deviceWriter) span(p []byte, off int64, zeros bool) (zeroed bool, err error) {
	if zeros && w.zeroOut != nil {
		if w.zero(p, off) {
			return true, nil
		}
		w.zeroOut = nil
	}
	err = w.disk.Step(durable.Op{Kind: durable.OpWrite, Path: w.path}, func() error {
		_, err := w.f.WriteAt(p, off)
		return err
	})
	w.unsynced += int64(len(p))
	return false, err
}

// zero lets the device write zeros, and looks whether it has: some take such a request and keep the old bytes.
func (w *deviceWriter) zero(zeros []byte, off int64) bool {
	err := w.disk.Step(durable.Op{Kind: durable.OpWrite, Path: w.path}, func() error { return w.zeroOut(w.f, off, int64(len(zeros))) })
	if err != nil {
		return false // writing them tells what is wrong, if something is
	}
	_, err = w.f.ReadAt(zeros, off) // into zeros: there is to be no difference
	if err == nil && isZero(zeros) {
		return true
	}
	clear(zeros)
	return false
}

// bounded flushes now and then what goes through the page cache, so that it does not fill memory.
func (w *deviceWriter) bounded() error {
	if w.direct || w.unsynced < syncEvery {
		return nil
	}
	w.unsynced = 0
	return w.sync()
}

func (w *deviceWriter) sync() error {
	return w.disk.Step(durable.Op{Kind: durable.OpSync, Path: w.path}, w.f.Sync)
}

func (w *deviceWriter) finish(ctx context.Context, want digest.Digest, advanced func(n int64)) (Written, error) {
	if len(w.now) > 0 {
		w.pass()
	}
	close(w.full)
	<-w.done
	w.olds.close()
	err := w.err
	if err == nil {
		err = w.sync()
	}
	if err == nil {
		dropCache(w.f)
		err = readBack(ctx, &reading{w.f, w.size, w.sector, advanced}, w.path, want)
	}
	w.closing.Do(func() { err = errors.Join(err, w.f.Close()) })
	w.written.Skipped = w.size - w.written.Bytes - w.written.Zeroed
	return w.written, err
}

func (w *deviceWriter) close() (err error) {
	w.closing.Do(func() {
		close(w.full)
		<-w.done
		w.olds.close()
		err = w.f.Close()
	})
	return err
}

// readBack wants the bytes on the medium to have the digest.
func readBack(ctx context.Context, r *reading, place string, want digest.Digest) error {
	got, err := r.digest(ctx)
	if err != nil {
		return err
	}
	if got != want {
		return &MediumError{place, fmt.Sprintf("does not give back what was written to it: %.19s, not %.19s", got, want)}
	}
	return nil
}
