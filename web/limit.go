package web

import (
	"net"
	"sync"
)

// limited lets so many connections be open at once; the next one waits.
func limited(ln net.Listener, n int) net.Listener {
	return &limit{Listener: ln, free: make(chan struct{}, n), over: make(chan struct{})}
}

type limit struct {
	net.Listener
	free  chan struct{}
	over  chan struct{}
	close sync.Once
}

func (l *limit) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.over:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, gone: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *limit) Close() error {
	l.close.Do(func() { close(l.over) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	gone func()
}

func (c *counted) Close() error {
	defer c.gone()
	return c.Conn.Close()
}
