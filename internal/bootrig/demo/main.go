// Demo shows an update of an operating system on a machine in QEMU that GRUB boots: a good one, and one whose kernel panics, after
// which the release before runs again. It fails if anything goes otherwise.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
)

func main() { os.Exit(start()) }

func start() int {
	program := flag.String("program", "bin/sallyport", "the sallyport to show")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program); err != nil {
		fmt.Fprintln(os.Stderr, "demo-boot:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, program string) error {
	began := time.Now()
	dir, err := os.MkdirTemp("", "sallyport-demo-boot-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	say := func(format string, args ...any) {
		fmt.Printf("%6.1f s  %s\n", time.Since(began).Seconds(), strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
	say("making a machine with two slots, GRUB, Debian's kernel and release %s", bootrig.First)
	w, err := bootrig.NewWorkshop(ctx, dir, program)
	if err != nil {
		return err
	}
	y, err := bootrig.NewYard(ctx, w, filepath.Join(dir, "yard"), bootrig.GRUB(), say, nil, bootrig.Good, bootrig.Panics)
	if err != nil {
		return err
	}
	m, err := y.Machine(ctx, filepath.Join(dir, "machine"))
	if err != nil {
		return err
	}
	r, err := m.Switch(ctx)
	if err != nil {
		return err
	}
	defer r.Off()
	r.Say = say
	if err := bootrig.Show(r); err != nil {
		return fmt.Errorf("%w\n%s", err, r.Console())
	}
	say("done")
	return nil
}
