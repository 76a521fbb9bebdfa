package embedded

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Look gives the URL at which the folder can be read: listen, if a process serves it there, or else an address at which
// this one serves it until stop is called. Nothing is written to the folder, so it need not be this user's.
func Look(ctx context.Context, dir, listen string) (url string, stop func() error, err error) {
	if _, err := os.Stat(filepath.Join(dir, rootDir)); err != nil {
		return "", nil, &Error{Dir: dir, Err: err}
	}
	if served(dir) {
		return "http://" + Reach(listen), func() error { return nil }, nil
	}
	r := newRegistry(Config{Dir: dir})
	r.driver = newDriver(dir)
	redirectLogs(r.log)
	if r.storage, err = newStorage(ctx, r.driver); err != nil {
		return "", nil, &Error{Dir: dir, Err: err}
	}
	r.router = r.routes()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, &Error{Dir: dir, Err: err}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, ln) }()
	return "http://" + ln.Addr().String(), func() error {
		cancel()
		return <-done
	}, nil
}

// served tells whether a process has the folder. For another user it cannot be told: then this one reads it, too.
func served(dir string) bool {
	f, err := os.Open(filepath.Join(dir, serveLock))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
