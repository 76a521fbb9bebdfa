package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cost is what one process took. Its fields are exported for the cache of peers' results.
type cost struct {
	Wall time.Duration
	CPU  time.Duration // user and system
	RSS  int64         // peak, bytes
}

func (c cost) String() string {
	return fmt.Sprintf("%.2fs %dM", c.Wall.Seconds(), c.RSS>>20)
}

// full shows processor time too.
func (c cost) full() string {
	return fmt.Sprintf("%.2f/%.2fs %dM", c.CPU.Seconds(), c.Wall.Seconds(), c.RSS>>20)
}

// add adds a process that ran after the others.
func (c *cost) add(next cost) {
	c.Wall += next.Wall
	c.CPU += next.CPU
	c.RSS = max(c.RSS, next.RSS)
}

// process runs a command and tells what it cost. This program keeps its own memory small, since the kernel counts what a
// parent had when it forked as its child's.
func process(ctx context.Context, dir string, env []string, name string, args ...string) (cost, []byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	c := cost{Wall: time.Since(start)}
	if err != nil {
		return c, nil, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	c.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.RSS = int64(usage.Maxrss) << 10
	}
	return c, out.Bytes(), nil
}

// fastest runs a command a few times and gives the run that took the least time.
func fastest(ctx context.Context, times int, dir, name string, args ...string) (cost, error) {
	var best cost
	for i := range times {
		c, _, err := process(ctx, dir, nil, name, args...)
		if err != nil {
			return best, err
		}
		if i == 0 || c.Wall < best.Wall {
			best = c
		}
	}
	return best, nil
}

// verdict is how a figure stands to its limit.
func verdict(good bool) string {
	if good {
		return "pass"
	}
	return "FAIL"
}
