package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/gorilla/mux"
	"github.com/sirupsen/logrus"
)

const (
	// drainTime is how long requests may go on after Serve's context has ended.
	drainTime = 10 * time.Second
)

// Config says what to serve.
type Config struct {
	// Dir is the registry's folder. It is created if it is missing. One process serves it at a time.
	Dir string
	// Secret is the file that holds what lets one push and delete; see the function of that name. Without one nobody can.
	Secret string
	// RemoteWrites lets other machines push and delete, too, by the secret.
	RemoteWrites bool
	// Names are hosts by which clients know the mirror, beside this machine's names and addresses.
	Names []string
	// Log gets failures, and every request at debug level. nil discards them.
	Log *slog.Logger
}

// Registry serves a folder. It is an http.Handler.
type Registry struct {
	cfg      Config
	log      *slog.Logger
	driver   *driver
	storage  distribution.Namespace
	router   *mux.Router
	names    map[string]bool
	fault    atomic.Value // string: what was wrong with the secret last
	lock     *os.File     // held while the registry is open
	digests  [64]sync.Mutex
	sessions sessions
	parsing  chan struct{} // held while a manifest is decoded
	storing  chan struct{} // held while one is received and stored
}

// newRegistry has all that serving the folder needs but the folder itself.
func newRegistry(cfg Config) *Registry {
	r := &Registry{cfg: cfg, log: cfg.Log, names: namesOf(cfg.Names),
		parsing: make(chan struct{}, maxParsing), storing: make(chan struct{}, maxParsing)}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Open takes the folder for this process and throws away uploads that a crash left behind. The error is ErrServed if
// another process serves the folder.
func Open(ctx context.Context, cfg Config) (*Registry, error) {
	r := newRegistry(cfg)
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, &Error{Dir: cfg.Dir, Err: err}
	}
	lock, err := lockServe(cfg.Dir)
	if err != nil {
		return nil, &Error{Dir: cfg.Dir, Err: err}
	}
	r.lock = lock
	if err := r.start(ctx); err != nil {
		_ = r.Close()
		return nil, &Error{Dir: cfg.Dir, Err: err}
	}
	return r, nil
}

func (r *Registry) start(ctx context.Context) error {
	redirectLogs(r.log)
	r.driver = newDriver(r.cfg.Dir)
	if err := r.driver.probe(); err != nil {
		return err
	}
	var err error
	if r.storage, err = newStorage(ctx, r.driver); err != nil {
		return err
	}
	r.router = r.routes()
	return r.purge(ctx, time.Now())
}

// newStorage opens distribution's storage. Indexes are not checked for completeness: that is its default. The state of
// digests is not kept between the requests of an upload: it would cost every blob several small files, to spare the
// rare upload that is resumed one reading.
func newStorage(ctx context.Context, d *driver) (distribution.Namespace, error) {
	return storage.NewRegistry(ctx, d, storage.EnableDelete, storage.DisableDigestResumption)
}

// Close gives the folder back. Requests must have ended.
func (r *Registry) Close() error { return r.lock.Close() }

// purge throws away uploads that were begun before a time.
func (r *Registry) purge(ctx context.Context, before time.Time) error {
	if _, err := os.Stat(filepath.Join(r.cfg.Dir, repositoriesDir)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	gone, errs := storage.PurgeUploads(ctx, r.driver, before, true)
	if len(gone) > 0 {
		r.log.Info("mirror: threw away unfinished uploads", "count", len(gone))
	}
	return errors.Join(errs...)
}

// Serve answers requests until ctx is done, then lets those under way finish for a while.
func (r *Registry) Serve(ctx context.Context, ln net.Listener) error {
	var fresh freshConns
	server := &http.Server{
		ConnState:         fresh.note,
		ConnContext:       withConn,
		Handler:           r,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(newConnections(ln)) }()
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			return &Error{Dir: r.cfg.Dir, Err: fmt.Errorf("serve %s: %w", ln.Addr(), err)}
		case <-tick.C:
			r.sweepSessions(ctx)
		case <-ctx.Done():
			return shutdown(server, &fresh)
		}
	}
}

func shutdown(server *http.Server, fresh *freshConns) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	fresh.close()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// freshConns are connections on which nothing has been asked yet. Clients open some in advance; http.Server would wait
// five seconds for them when it shuts down.
type freshConns struct{ sync.Map }

func (f *freshConns) note(c net.Conn, s http.ConnState) {
	if s == http.StateNew {
		f.Store(c, nil)
	} else {
		f.Delete(c)
	}
}

func (f *freshConns) close() {
	f.Range(func(c, _ any) bool {
		_ = c.(net.Conn).Close()
		return true
	})
}

// Serve opens the folder and serves it at listen, HOST:PORT, until ctx is done.
func Serve(ctx context.Context, cfg Config, listen string) error {
	if cfg.Secret != "" {
		if _, err := readSecret(cfg.Secret); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return &Error{Dir: cfg.Dir, Err: err}
	}
	r, err := Open(ctx, cfg.known(listen))
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	return errors.Join(r.Serve(ctx, ln), r.Close())
}

// known adds the host of the address at which the folder is served.
func (cfg Config) known(listen string) Config {
	cfg.Names = append(slices.Clip(cfg.Names), listen)
	return cfg
}

func (r *Registry) routes() *mux.Router {
	router := v2.Router()
	router.GetRoute(v2.RouteNameBase).HandlerFunc(r.base)
	router.GetRoute(v2.RouteNameCatalog).Handler(r.handle(false, r.catalog))
	for name, h := range map[string]handler{
		v2.RouteNameTags:            r.tags,
		v2.RouteNameManifest:        r.manifest,
		v2.RouteNameBlob:            r.blob,
		v2.RouteNameBlobUpload:      r.beginUpload,
		v2.RouteNameBlobUploadChunk: r.upload,
	} {
		router.GetRoute(name).Handler(r.handle(true, h))
	}
	return router
}

// redirectLogs sends what distribution logs to our log, at debug level: it reports every blob that a client asks
// for in vain as an error. Its logger is the standard one of logrus, which nothing else here uses.
func redirectLogs(log *slog.Logger) {
	std := logrus.StandardLogger()
	std.SetOutput(io.Discard)
	std.SetLevel(logrus.InfoLevel)
	hooks := make(logrus.LevelHooks)
	hooks.Add(logHook{log})
	std.ReplaceHooks(hooks)
}

type logHook struct{ log *slog.Logger }

func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

func (h logHook) Fire(e *logrus.Entry) error {
	h.log.Debug("mirror: " + e.Message)
	return nil
}
