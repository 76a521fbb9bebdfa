package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// heard is how soon Ctrl-C has to be heard, whatever is under way.
const heard = 20 * time.Second

// silences are all the ways not to answer, each as a kubeconfig that leads there.
func silences(t *testing.T) map[string]string {
	t.Helper()
	through := func(f fault) string { return proxied(t, f).config.Kubeconfig }
	slow := filepath.Join(t.TempDir(), "credentials")
	must(t, os.WriteFile(slow, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700))
	return map[string]string{
		"accepts and says nothing": kubeconfigFor(t, "https://"+listener(t, true)),
		"does not accept":          kubeconfigFor(t, "https://"+listener(t, false)),
		"no answer":                through(hang),
		"half an answer": through(func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = w.Write([]byte("{"))
			w.(http.Flusher).Flush()
			return hang(w, r)
		}),
		"away":               through(drop),
		"not ready":          through(answer(503, "{}")),
		"come back later":    through(later),
		"too many requests":  through(answer(429, "{}")),
		"program never ends": withProgram(t, slow),
	}
}

func later(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Retry-After", "60")
	return answer(503, "{}")(w, r)
}

// listener is the address of a TCP server that accepts connections and keeps them, or does not even do that.
func listener(t *testing.T, accepts bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	if accepts {
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, conn) }()
			}
		}()
	}
	return l.Addr().String()
}

func TestCancelIsHeardEverywhere(t *testing.T) {
	want := objects("%s", configMap("default", "cancelled", "x")+"---\n{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {}}")
	inv := NewInventory(ID{Version: "v1", Kind: "ConfigMap", Namespace: "default", Name: "cancelled"})
	work := map[string]func(context.Context, *Cluster) error{
		"Ready":     func(ctx context.Context, c *Cluster) error { _, err := c.Ready(ctx, inv); return err },
		"Inventory": func(ctx context.Context, c *Cluster) error { _, err := c.Inventory(ctx, want); return err },
		"DryRun":    func(ctx context.Context, c *Cluster) error { _, err := c.DryRun(ctx, want, inv); return err },
		"Apply":     func(ctx context.Context, c *Cluster) error { _, _, err := c.Apply(ctx, want, inv); return err },
		"Restore":   func(ctx context.Context, c *Cluster) error { _, err := c.Restore(ctx, want, inv, nil); return err },
		"Prune":     func(ctx context.Context, c *Cluster) error { _, err := c.Prune(ctx, inv, Inventory{}); return err },
		"Health":    func(ctx context.Context, c *Cluster) error { _, err := c.Health(ctx, want); return err },
		"Unstick":   func(ctx context.Context, c *Cluster) error { _, err := c.Unstick(ctx, want, false); return err },
		"Wait":      func(ctx context.Context, c *Cluster) error { return c.Wait(ctx, want, time.Minute) },
	}
	for silence, kubeconfig := range silences(t) {
		for name, do := range work {
			t.Run(silence+"/"+name, func(t *testing.T) {
				t.Parallel()
				c, err := NewCluster(Config{Kubeconfig: kubeconfig, Patience: time.Minute, Answer: time.Minute})
				must(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				var pressed time.Time
				time.AfterFunc(150*time.Millisecond, func() { pressed = time.Now(); cancel() })
				err = do(ctx, c)
				if ctx.Err() == nil {
					t.Fatalf("it did not wait for anybody: %v", err)
				}
				if took := time.Since(pressed); took > heard || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, %s after Ctrl-C", err, took)
				}
			})
		}
	}
}
