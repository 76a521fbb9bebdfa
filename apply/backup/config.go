package backup

import (
	"context"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Config says what the data of a site are: one of Hooks, K3s, MicroK8s and Etcd is set.
type Config struct {
	Hooks    *Hooks
	K3s      *K3s
	MicroK8s *MicroK8s
	Etcd     *Etcd

	// Timeout bounds one backup and one restore; 0 is DefaultTimeout.
	Timeout time.Duration
	// Keep is how many backups are kept; 0 is DefaultKeep.
	Keep int
	// MaxBytes bounds one backup; 0 is DefaultMaxBytes.
	MaxBytes int64
	// Manage stops and starts a service of the machine; nil asks systemd, or OpenRC.
	Manage func(ctx context.Context, verb, service string) error
	// Environ is added to the environment of hooks: SALLYPORT_SITE_NAME=… and the like.
	Environ []string
}

// What is not said in site.yaml.
const (
	DefaultTimeout  = 10 * time.Minute
	DefaultKeep     = 2
	DefaultMaxBytes = 8 << 30
)

// source is a kind of data.
type source interface {
	// estimate is about how many bytes a backup takes; 0 if nobody knows.
	estimate(ctx context.Context) (int64, error)
	// save writes the data into the empty folder dir, and returns what restore has to know of them.
	save(ctx context.Context, dir string) (note []byte, err error)
	// restore puts back what save has written into dir. It may have been cut before. stopped tells that what works on the data
	// is to be left stopped.
	restore(ctx context.Context, dir string, note []byte, stopped bool) error
	// version tells one state of the data from a later one; empty if nobody knows.
	version(ctx context.Context) (string, error)
}

// source makes the source that is configured.
func (c Config) source(disk durable.Disk) source {
	switch {
	case c.K3s != nil:
		return c.K3s.source(c.Manage, disk)
	case c.MicroK8s != nil:
		return c.MicroK8s.source(c.Manage, disk)
	case c.Etcd != nil:
		return &etcd{*c.Etcd, services{c.Etcd.Services, c.Manage}, disk}
	case c.Hooks != nil:
		return &hooks{*c.Hooks, c.Environ}
	}
	return nil
}

func (c Config) timeout() time.Duration { return orDefault(c.Timeout, DefaultTimeout) }
func (c Config) keep() int              { return orDefault(c.Keep, DefaultKeep) }
func (c Config) maxBytes() int64        { return orDefault(c.MaxBytes, DefaultMaxBytes) }

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
