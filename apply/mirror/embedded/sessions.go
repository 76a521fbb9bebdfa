package embedded

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/google/uuid"
)

const (
	// maxSessions is how many uploads may be under way, those that nobody is busy with included.
	maxSessions = 64
	// maxIdleBytes is what uploads that nobody is busy with may hold in bytes, idleSession how long they are kept, and
	// purgeEvery how often such are looked for.
	maxIdleBytes = 16 << 30
	idleSession  = time.Hour
	purgeEvery   = 10 * time.Minute
)

// sessions are the uploads under way: what of them is on the disk when a process starts is thrown away.
type sessions struct {
	// entry is held from the look for room until what it was made for has begun: nobody else gets that room, and nobody
	// is refused while some is being made.
	entry sync.Mutex
	mu    sync.Mutex
	open  map[string]*session
}

// session is one upload.
type session struct {
	folder string // of its files
	busy   bool   // a request is at it
	size   int64  // of what has arrived; of one that is busy, when that began
	used   time.Time
}

// begin notes an upload, with a request that is busy with it.
func (s *sessions) begin(id, folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[string]*session)
	}
	s.open[id] = &session{folder: folder, busy: true}
}

// take gives an upload to a request.
func (s *sessions) take(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.open[id]
	switch {
	case up == nil || uuid.Validate(id) != nil:
		return errcode.ErrorCodeBlobUploadUnknown
	case up.busy: // after a broken connection a client may be back before we have noticed
		return errcode.ErrorCodeUnavailable.WithMessage("the upload is busy with another request")
	}
	up.busy = true
	return nil
}

// leave ends a request's work at an upload. One whose bytes are gone, to their place or for good, is over.
func (s *sessions) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.open[id]
	fi, err := os.Stat(filepath.Join(up.folder, "data"))
	if err != nil {
		delete(s.open, id)
		return
	}
	up.busy, up.size, up.used = false, fi.Size(), time.Now()
}

// stale picks the uploads that have to go before room more can begin: those that were left too long ago, and then the ones
// left first. They are busy until they are gone. ok is false if there is no room even so.
func (s *sessions) stale(now time.Time, room int) (gone map[string]string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone = make(map[string]string)
	for {
		var first string
		var bytes int64
		for id, up := range s.open {
			if up.busy {
				continue
			}
			if bytes += up.size; first == "" || up.used.Before(s.open[first].used) {
				first = id
			}
		}
		full := len(s.open)-len(gone)+room > maxSessions
		if first == "" || !full && bytes <= maxIdleBytes && now.Sub(s.open[first].used) <= idleSession {
			return gone, !full
		}
		s.open[first].busy = true
		gone[first] = s.open[first].folder
	}
}

// makeRoom throws away what is stale, and refuses when there is no room for so many more uploads. Its caller holds the entry.
func (r *Registry) makeRoom(ctx context.Context, more int) error {
	gone, ok := r.sessions.stale(time.Now(), more)
	for id, folder := range gone {
		r.log.Info("mirror: throwing an unfinished upload away", "id", id)
		if err := os.RemoveAll(folder); err != nil {
			r.log.Warn("mirror: an unfinished upload stays", "id", id, "error", err)
		}
		r.sessions.leave(id)
	}
	if !ok {
		return errcode.ErrorCodeTooManyRequests.WithMessage("too many uploads are under way")
	}
	return ctx.Err()
}

// sweepSessions throws away what is stale. What cannot be thrown away is in the log.
func (r *Registry) sweepSessions(ctx context.Context) {
	r.sessions.entry.Lock()
	defer r.sessions.entry.Unlock()
	_ = r.makeRoom(ctx, 0) // for nobody
}
