package inbox

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

const (
	// listName is the file of a web server's folder that lists its bundles.
	listName = "bundles.txt"
	// maxList and maxNames bound it, in bytes and names.
	maxList  = 64 << 10
	maxNames = 256
	// answerTime bounds how long a server may take to begin an answer, stallTime how long it may send nothing of one.
	answerTime = 10 * time.Second
	stallTime  = 30 * time.Second
	// chunk is how much is read at once.
	chunk = 32 << 10
)

// bundleName is the name in a list of a bundle, or of a freeze notice that lies beside bundles.
var bundleName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*\.(tar|freeze\.json)$`)

// LinkError is a link that is down, or that leads somewhere else, such as to a portal's page. It passes.
type LinkError struct{ Text string }

// Error says what is the matter with the link.
func (e *LinkError) Error() string { return e.Text }

// Web is a folder of a web server, of which the file bundles.txt lists the bundles, one name a line; or one bundle.
type Web struct {
	// URL ends in a slash if it is a folder's.
	URL string
	// Client does the requests; it follows no redirect to another host.
	Client *http.Client
	// Spool is a folder of this source's alone, for one bundle while it arrives.
	Spool string
	// Rate bounds what is fetched, in bytes a second; 0 does not.
	Rate int64
}

// NewClient makes the client of web sources from a transport. A redirect to another host is what a portal answers before it lets
// anybody through.
func NewClient(transport *http.Transport) *http.Client {
	t := transport.Clone()
	t.ResponseHeaderTimeout = answerTime
	t.TLSHandshakeTimeout = answerTime
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// String is the URL without what may be secret in it.
func (w *Web) String() string { return redacted(w.URL) }

func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "a URL that cannot be read"
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.Redacted()
}

// List calls found for every bundle that the server has. A link that is down, or leads to a portal, holds nothing.
func (w *Web) List(ctx context.Context, found func(Candidate) error) error {
	err := w.list(ctx, found)
	var link *LinkError
	if errors.As(err, &link) {
		return nil
	}
	return err
}

// Check lists the server's bundles, and is a LinkError if the link is down.
func (w *Web) Check(ctx context.Context) (n int, err error) {
	err = w.list(ctx, func(Candidate) error { n++; return nil })
	return n, err
}

func (w *Web) list(ctx context.Context, found func(Candidate) error) error {
	urls := []string{w.URL}
	if front, query, _ := strings.Cut(w.URL, "?"); strings.HasSuffix(front, "/") {
		names, err := w.names(ctx, front+listName, query)
		if err != nil {
			return err
		}
		urls = nil
		for _, name := range names {
			urls = append(urls, withQuery(front+url.PathEscape(name), query))
		}
	}
	for _, u := range urls {
		c, err := w.candidate(ctx, u)
		if err != nil {
			return err
		}
		if err := found(c); err != nil {
			return err
		}
	}
	return nil
}

func withQuery(front, query string) string {
	if query == "" {
		return front
	}
	return front + "?" + query
}

// names reads the list. One that has anything else in it than names, comments and empty lines is none.
func (w *Web) names(ctx context.Context, at, query string) (names []string, err error) {
	resp, err := w.do(ctx, http.MethodGet, withQuery(at, query), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, w.refused(resp)
	}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxList))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case !bundleName.MatchString(line):
			return nil, &LinkError{redacted(at) + " is no list of bundles, which has one name a line, such as store-platform-2.4.0.tar"}
		case len(names) == maxNames:
			return nil, &LinkError{fmt.Sprintf("%s has more than %d names", redacted(at), maxNames)}
		}
		names = append(names, line)
	}
	if err := lines.Err(); err != nil {
		return nil, &LinkError{fmt.Sprintf("%s broke off: %v", redacted(at), err)}
	}
	return names, nil
}

// candidate asks what a bundle is, without its bytes.
func (w *Web) candidate(ctx context.Context, at string) (Candidate, error) {
	resp, err := w.do(ctx, http.MethodHead, at, nil)
	if err != nil {
		return Candidate{}, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength < 0 {
		return Candidate{}, w.refused(resp)
	}
	b := &remote{web: w, url: at, size: resp.ContentLength, validator: validatorOf(resp)}
	return Candidate{Name: redacted(at), Size: b.size, ID: b.id(), Open: b.open, Fetch: b.fetch, Drop: b.drop}, nil
}

// validatorOf is what tells the bytes of an answer from others, so that they can be gone on with: a strong ETag, or else the time
// of the last change (RFC 9110, section 13.1.5); empty if there is none.
func validatorOf(resp *http.Response) string {
	if tag := resp.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return resp.Header.Get("Last-Modified")
}

// do asks the server. A page of HTML is a portal's.
func (w *Web) do(ctx context.Context, method, at string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, nil)
	if err != nil {
		return nil, &LinkError{"the URL cannot be used"}
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept-Encoding", "identity") // ranges are of the bytes as they are
	resp, err := w.Client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var told *url.Error
		if errors.As(err, &told) {
			err = told.Err // the URL may hold a secret
		}
		return nil, &LinkError{fmt.Sprintf("%s does not answer: %v", req.URL.Host, err)}
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		resp.Body.Close()
		return nil, &LinkError{req.URL.Host + " answers with a page, as a portal does that lets nobody through yet"}
	}
	return resp, nil
}

func (w *Web) refused(resp *http.Response) error {
	return &LinkError{fmt.Sprintf("%s answered %s for %s", resp.Request.URL.Host, resp.Status, redacted(resp.Request.URL.String()))}
}

// remote is a bundle that a server has.
type remote struct {
	web       *Web
	url       string
	size      int64
	validator string
}

// id tells the bundle's bytes from others. It does not tell the URL, which may hold a secret.
func (b *remote) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", b.url, b.size, b.validator))
	return "web:" + hex.EncodeToString(sum[:16])
}

// open gives the bundle's bytes while they arrive: for a look at its front.
func (b *remote) open(ctx context.Context) (io.ReadCloser, error) {
	resp, err := b.web.do(ctx, http.MethodGet, b.url, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, b.web.refused(resp)
	}
	return resp.Body, nil
}

// path is where the bundle is kept while it arrives.
func (b *remote) path() string {
	return filepath.Join(b.web.Spool, strings.TrimPrefix(b.id(), "web:")+".part")
}

// fetch brings the rest of the bundle and opens it. If the link goes down or ctx ends, the next call goes on where this one has stopped.
func (b *remote) fetch(ctx context.Context) (_ io.ReadCloser, err error) {
	if err := b.others(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(b.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if have > b.size || have < b.size && b.validator == "" {
		have = 0
	}
	if have < b.size {
		if err := b.rest(ctx, f, have); err != nil {
			return nil, errors.Join(err, f.Sync())
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// rest appends what is missing from an offset on.
func (b *remote) rest(ctx context.Context, f *os.File, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	header := http.Header{}
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		header.Set("If-Range", b.validator)
	}
	resp, err := b.web.do(ctx, http.MethodGet, b.url, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && resp.Header.Get("Content-Range") == fmt.Sprintf("bytes %d-%d/%d", have, b.size-1, b.size):
	case resp.StatusCode == http.StatusOK && resp.ContentLength == b.size && validatorOf(resp) == b.validator:
		have = 0 // a server that gives no parts
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent:
		return &LinkError{redacted(b.url) + " has changed on the server while it was fetched"}
	default:
		return b.web.refused(resp)
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	stall := time.AfterFunc(stallTime, func() {
		cancel(&LinkError{fmt.Sprintf("%s has sent nothing for %s", resp.Request.URL.Host, stallTime)})
	})
	defer stall.Stop()
	part := b.web.part()
	from := &slow{ctx: ctx, r: io.LimitReader(resp.Body, b.size-have), moved: func() { stall.Reset(stallTime) }}
	if b.web.Rate > 0 {
		from.limit = rate.NewLimiter(rate.Limit(b.web.Rate), part)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{from}, make([]byte, part))
	if err == nil {
		if have, err = f.Seek(0, io.SeekCurrent); err == nil && have < b.size {
			err = &LinkError{fmt.Sprintf("%s ended after %d of %d bytes", redacted(b.url), have, b.size)}
		}
		return err
	}
	return b.broke(ctx, err)
}

// broke says why no more came.
func (b *remote) broke(ctx context.Context, err error) error {
	var link *LinkError
	if errors.As(context.Cause(ctx), &link) {
		return link
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		return err // ours, such as a full disk
	}
	return &LinkError{fmt.Sprintf("%s broke off: %v", redacted(b.url), err)}
}

// part is how much is read at once: what may come in a second, or less.
func (w *Web) part() int {
	if w.Rate <= 0 || w.Rate >= chunk {
		return chunk
	}
	return int(w.Rate)
}

// slow reads no faster than it may.
type slow struct {
	ctx   context.Context //nolint:containedctx // of the one copy that it is made for
	r     io.Reader
	limit *rate.Limiter
	moved func()
}

func (s *slow) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if n > 0 {
		s.moved()
		if s.limit != nil {
			if wait := s.limit.WaitN(s.ctx, n); wait != nil && err == nil {
				err = wait
			}
		}
	}
	return n, err
}

// drop forgets what has arrived.
func (b *remote) drop() error {
	if err := os.Remove(b.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// others makes the folder, and removes what arrived of other bundles: one is fetched at a time.
func (b *remote) others() error {
	if err := os.MkdirAll(b.web.Spool, 0o700); err != nil {
		return err
	}
	all, err := os.ReadDir(b.web.Spool)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Name() != filepath.Base(b.path()) {
			if err := os.RemoveAll(filepath.Join(b.web.Spool, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
