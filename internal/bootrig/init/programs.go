package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// restartPause is what a service that has ended is left alone for.
const restartPause = time.Second

// keepUp runs a service for as long as the machine runs.
func keepUp(p wire.Program) {
	for {
		fmt.Println("rig:", p.Log, "ended:", runOnce(p))
		time.Sleep(restartPause)
	}
}

// runOnce returns when the service has ended, whose error is nil if it meant to.
func runOnce(p wire.Program) error {
	if err := os.MkdirAll(filepath.Dir(p.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.Background(), p.Argv[0], p.Argv[1:]...)
	cmd.Env = environ()
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Run()
}

// environ is what every program of the guest's starts with.
func environ() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp"}
}
