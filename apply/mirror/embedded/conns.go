package embedded

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxConns is how many connections there may be at once, and thereby how many requests.
const maxConns = 256

// connections bounds the connections of a listener. At the limit, the one on which nothing has moved for the longest
// makes room: so those that only hold on are of no use. One that has shown the secret stays.
type connections struct {
	net.Listener
	mu   sync.Mutex
	open map[*conn]struct{}
}

func newConnections(ln net.Listener) *connections {
	return &connections{Listener: ln, open: make(map[*conn]struct{})}
}

// Accept returns the next connection.
func (l *connections) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := accepted.(*net.TCPConn)
	if !ok {
		return accepted, nil
	}
	c := &conn{TCPConn: tcp, all: l}
	c.touch()
	l.add(c)
	return c, nil
}

func (l *connections) add(c *conn) {
	l.mu.Lock()
	var stillest *conn
	if len(l.open) >= maxConns {
		for other := range l.open {
			if !other.trusted.Load() && (stillest == nil || other.moved.Load() < stillest.moved.Load()) {
				stillest = other
			}
		}
	}
	l.open[c] = struct{}{}
	l.mu.Unlock()
	if stillest != nil {
		_ = stillest.Close()
	}
}

func (l *connections) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// conn is a connection that knows when something moved on it last.
type conn struct {
	*net.TCPConn
	all     *connections
	moved   atomic.Int64 // Unix time in nanoseconds
	trusted atomic.Bool  // it has shown the secret
}

func (c *conn) touch() { c.moved.Store(time.Now().UnixNano()) }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.touch()
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.touch()
	return n, err
}

// ReadFrom lets the system send files by itself.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.touch()
	return n, err
}

// Close ends the connection.
func (c *conn) Close() error {
	c.all.remove(c)
	return c.TCPConn.Close()
}

// connKey is where a request's context has its connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// trust keeps the connection of a request that has shown the secret.
func trust(req *http.Request) {
	if c, ok := req.Context().Value(connKey{}).(*conn); ok {
		c.trusted.Store(true)
	}
}
