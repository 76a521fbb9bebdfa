package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// watch cancels a request that makes no progress. Transfers of layers have no sensible total time limit; silence has.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  atomic.Int64 // a time.Duration
}

func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{ctx: ctx, cancel: cancel}
	w.limit.Store(int64(limit))
	w.timer = time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("%w for %s", errStalled, time.Duration(w.limit.Load()).Round(time.Millisecond)))
	})
	return ctx, w
}

// touch notes progress.
func (w *watch) touch() { w.timer.Reset(time.Duration(w.limit.Load())) }

// allow notes progress, and sets how long the next may take.
func (w *watch) allow(limit time.Duration) {
	w.limit.Store(int64(limit))
	w.touch()
}

// hold stops the clock while it is not the registry that is waited for.
func (w *watch) hold() { w.timer.Stop() }

// stop ends the watch. The request's context is cancelled; its cause, if there was one before, stays.
func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// explain returns the stall as the error if that is what ended the request.
func (w *watch) explain(err error) error {
	if cause := context.Cause(w.ctx); errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

// watchedBody is an answer's body under a watch.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.watch.touch()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.explain(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.watch.stop()
	return err
}

// source is a request's body under a watch: bytes that somebody else makes. It keeps the maker's error, which is
// not the registry's fault, and it ends the reading for good: http.Transport may go on reading a body after it has
// returned, but after Close no Read is under way or will come.
type source struct {
	watch *watch
	want  int64
	store time.Duration // that the registry may take once it has it all

	mu     sync.Mutex
	r      io.Reader
	n      int64
	err    error // of the maker
	closed bool
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errors.New("body is closed")
	}
	s.watch.hold()
	n, err := s.r.Read(p)
	if s.n += int64(n); s.n == s.want {
		s.watch.allow(s.store)
	} else {
		s.watch.touch()
	}
	switch {
	case err == nil:
	case err != io.EOF:
		s.err = err
	case s.n < s.want:
		s.err = fmt.Errorf("%d bytes where %d are due: %w", s.n, s.want, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
