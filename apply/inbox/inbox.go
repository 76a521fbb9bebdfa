// Package inbox lists what lies where a site looks for bundles, without reading it.
package inbox

import (
	"context"
	"io"
	"time"
)

// Candidate is a file, or something like it, that may be a bundle.
type Candidate struct {
	Name string // a path or a URL, for messages
	Size int64  // bytes
	// ID is another one as soon as the bytes may be others: of a file, device, inode, size and the time of the last change; of
	// what a server has, its ETag. Two candidates with the same ID have the same bytes.
	ID string
	// Changed is when the bytes changed last, as far as the source knows; zero: it does not.
	Changed time.Time
	// Open gives the bytes from the first one. Where they come over a network, it may give them while they arrive.
	Open func(ctx context.Context) (io.ReadCloser, error)
	// Fetch, if set, brings all bytes here first and opens them then; where it fails, the next call goes on. Drop forgets what has
	// arrived. A LinkError of Fetch passes.
	Fetch func(ctx context.Context) (io.ReadCloser, error)
	Drop  func() error
	// Tail reads the last len(b) bytes, or fewer where there are not so many; nil where nobody can without reading the rest.
	Tail func(b []byte) (n int, err error)
}

// Source is a place where bundles may lie.
type Source interface {
	// String names the place for messages.
	String() string
	// List calls found for each candidate, in any order, and reads none of them. An error of found ends it. A place that is not
	// there holds nothing: a medium that is not plugged in and a link that is down are no errors.
	List(ctx context.Context, found func(Candidate) error) error
}
