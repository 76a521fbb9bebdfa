package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/part"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const (
	slotSize     = 512 << 20 // bytes of the image that is written
	slotLarge    = 8 << 30   // bytes of the image whose memory is measured, nearly all zeros
	minSlotSpeed = 0.8       // of dd's, which writes and reads back
)

// slots measures writing a part of an operating system to a block device beside dd, and its memory.
func slots(ctx context.Context, work string) error {
	fmt.Printf("\nwriting a part to a loop device, %d MiB: wall seconds, peak MiB\n", slotSize>>20)
	image, other, disk := filepath.Join(work, "image"), filepath.Join(work, "other"), filepath.Join(work, "disk")
	if err := errors.Join(noiseFile(image, 1, slotSize), noiseFile(other, 2, slotSize), noiseFile(disk, 3, slotSize)); err != nil {
		return err
	}
	device, done, err := loopDevice(ctx, disk, work)
	if err != nil {
		fmt.Println("  skipped:", err)
		return nil
	}
	defer done()
	peer, ours, err := slotRace(ctx, image, other, device, work)
	if err != nil {
		return err
	}
	speed := peer.Wall.Seconds() / ours.cost.Wall.Seconds()
	fmt.Printf("  dd, and dd back  %s\n", peer)
	fmt.Printf("  all of it        %s  %.2f x the speed of dd (limit %.1f): %s\n", ours, speed, minSlotSpeed, verdict(speed >= minSlotSpeed))
	same, err := slotWrite(ctx, image, device)
	if err != nil {
		return err
	}
	fmt.Printf("  the same again   %s\n", same)
	if err := changeBlocks(image, slotSize/4096/100); err != nil {
		return err
	}
	point, err := slotWrite(ctx, image, device)
	if err != nil {
		return err
	}
	fmt.Printf("  1 %% of blocks    %s\n", point)
	return slotMemory(ctx, work)
}

// slotRace has dd and us write the image in turn over a device full of other bytes; of each the fastest counts.
func slotRace(ctx context.Context, image, other, device, work string) (peer cost, ours slotRow, err error) {
	for i := range runs {
		dd := func(in, out, flag string) (cost, error) {
			c, _, err := process(ctx, work, nil, "dd", "if="+in, "of="+out, "bs=4M", flag, "status=none")
			return c, err
		}
		c, err := dd(image, device, "oflag=direct")
		if err != nil {
			return peer, ours, err
		}
		back, err := dd(device, os.DevNull, "iflag=direct")
		if err != nil {
			return peer, ours, err
		}
		if c.add(back); i == 0 || c.Wall < peer.Wall {
			peer = c
		}
		if _, err := dd(other, device, "oflag=direct"); err != nil {
			return peer, ours, err
		}
		r, err := slotWrite(ctx, image, device)
		if err != nil {
			return peer, ours, err
		}
		if i == 0 || r.cost.Wall < ours.cost.Wall {
			ours = r
		}
	}
	return peer, ours, nil
}

// slotMemory writes an image that is far larger than memory should be.
func slotMemory(ctx context.Context, work string) error {
	image, disk := filepath.Join(work, "large"), filepath.Join(work, "large-disk")
	for _, path := range []string{image, disk} {
		if err := errors.Join(os.WriteFile(path, []byte(path), 0o600), os.Truncate(path, slotLarge)); err != nil {
			return err
		}
	}
	device, done, err := loopDevice(ctx, disk, work)
	if err != nil {
		return err
	}
	defer done()
	r, err := slotWrite(ctx, image, device)
	if err != nil {
		return err
	}
	fmt.Printf("  %d GiB of zeros    %s; memory: %s\n", slotLarge>>30, r, verdict(r.cost.RSS <= maxApplyRSS))
	return nil
}

// slotRow is what one writing took, and did.
type slotRow struct {
	cost cost
	done part.Written
}

func (r slotRow) String() string {
	return fmt.Sprintf("%s, %.1f MB written, %.1f MB zeroed, %.1f MB there already", r.cost, float64(r.done.Bytes)/1e6, float64(r.done.Zeroed)/1e6, float64(r.done.Skipped)/1e6)
}

// slotWrite writes in a process of its own. The image's digest is known before, as it is on a site.
func slotWrite(ctx context.Context, image, device string) (r slotRow, err error) {
	f, err := os.Open(image)
	if err != nil {
		return r, err
	}
	defer f.Close()
	sum, err := digest.FromReader(f)
	if err != nil {
		return r, err
	}
	if err := os.WriteFile(image+".sum", []byte(sum), 0o600); err != nil {
		return r, err
	}
	r.cost, err = engine(ctx, &r.done, "slot", "-in", image, "-out", device)
	return r, err
}

// workSlot writes an image to a device, as a load does.
func workSlot(ctx context.Context, f workFlags) (any, error) {
	in, err := os.Open(f.in)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(f.in + ".sum")
	if err != nil {
		return nil, err
	}
	target, err := part.Fit(host.Host{}, part.Places{"root": f.out}, part.Places{}, map[string]int64{"root": info.Size()})
	if err != nil {
		return nil, err
	}
	w, err := target.Open(ctx, durable.Disk{}, "root", info.Size(), digest.Digest(sum))
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
		return nil, err
	}
	return w.Finish(ctx)
}

// loopDevice makes a block device of a file, past the page cache.
func loopDevice(ctx context.Context, file, work string) (device string, done func(), err error) {
	_, out, err := process(ctx, work, nil, "losetup", "--find", "--show", "--direct-io=on", file)
	if err != nil {
		return "", nil, err
	}
	device = strings.TrimSpace(string(out))
	return device, func() { _, _, _ = process(context.WithoutCancel(ctx), work, nil, "losetup", "-d", device) }, nil
}

// noiseFile makes a file of which no two blocks are alike.
func noiseFile(path string, seed byte, size int64) error {
	return create(path, func(w io.Writer) error {
		_, err := io.CopyN(w, rand.NewChaCha8([32]byte{seed}), size)
		return err
	})
}

// changeBlocks makes so many blocks, all over a file, differ from what they were.
func changeBlocks(path string, blocks int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range blocks {
		if _, err := f.WriteAt([]byte("another"), r.Int64N(slotSize/4096)*4096); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
