package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func answered(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message}}
}

func TestAway(t *testing.T) {
	c := newCluster(t)
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"nobody listens", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{"given up", &gaveUp{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}}, true},
		{"closed", fmt.Errorf("get: %w", io.EOF), true},
		{"closed in the middle", io.ErrUnexpectedEOF, true},
		{"connection of many requests", errors.New("http2: client connection lost"), true},
		{"starts", answered(http.StatusServiceUnavailable, ""), true},
		{"overloaded", answered(http.StatusTooManyRequests, ""), true},
		{"has just started", answered(http.StatusForbidden, `pods "x" is forbidden: not yet ready to handle request`), true},
		{"etcd elects", answered(http.StatusInternalServerError, "etcdserver: leader changed"), true},
		{"etcd is full", answered(http.StatusInternalServerError, "etcdserver: mvcc: database space exceeded"), false},
		{"conversion fails", answered(http.StatusInternalServerError, "conversion webhook for a/v1, Kind=B failed"), false},
		{"may not", answered(http.StatusForbidden, `User "till" cannot get resource "pods"`), false},
		{"not known", answered(http.StatusUnauthorized, ""), false},
		{"another program", errStranger, false},
		{"not settled", &notSettled{"it is not ready", time.Second}, false},
	} {
		var away interface{ Away() bool }
		if err := c.failed("look", tt.err); !errors.As(err, &away) || away.Away() != tt.want {
			t.Errorf("%s: got %t", tt.name, !tt.want)
		}
	}
}

// A look that its caller's time cuts short found nobody, at whichever request that was, whatever the caller's reason.
func TestLookCutShortIsAway(t *testing.T) {
	want := objects("%s", manyMaps("cutshort", 4, func(int) string { return "x" })+"---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: cutshort}, spec: "+unprobed+"}")
	mustApply(t.Context(), t, newCluster(t), want, Inventory{})
	for n := int64(1); ; n++ {
		var seen atomic.Int64
		c := proxied(t, func(w http.ResponseWriter, r *http.Request) bool { return seen.Add(1) >= n && hang(w, r) })
		ctx, cancel := context.WithTimeoutCause(t.Context(), 700*time.Millisecond, errors.New("the check's time is over"))
		_, err := c.Health(ctx, want)
		cancel()
		if err == nil {
			if n < 4 {
				t.Errorf("only %d requests: the test sees nothing", n)
			}
			return
		}
		var target *TargetError
		if !errors.As(err, &target) || !target.Away() {
			t.Errorf("request %d: got %v, want a target that is away", n, err)
		}
	}
}
