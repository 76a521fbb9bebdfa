package kube

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// client-go would tell people in words of its own, through a logger that a whole process shares. It is set before anything
// runs, since nobody may set it while requests are under way, and passes on to the log of the cluster made last.
func init() { klog.SetLogger(logr.FromSlogHandler(clientWords{})) }

var clientLog atomic.Pointer[slog.Logger]

// clientWords is a slog.Handler that asks clientLog each time.
type clientWords struct{}

func (clientWords) handler() slog.Handler {
	if l := clientLog.Load(); l != nil {
		return l.Handler()
	}
	return slog.DiscardHandler
}

func (w clientWords) Enabled(ctx context.Context, level slog.Level) bool {
	return w.handler().Enabled(ctx, level)
}

func (w clientWords) Handle(ctx context.Context, r slog.Record) error {
	return w.handler().Handle(ctx, r)
}

func (w clientWords) WithAttrs(attrs []slog.Attr) slog.Handler { return w.handler().WithAttrs(attrs) }
func (w clientWords) WithGroup(name string) slog.Handler       { return w.handler().WithGroup(name) }
