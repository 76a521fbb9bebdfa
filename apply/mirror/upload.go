package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// upload is one blob on its way. It goes as a POST that opens a session and a PUT with all of the bytes; what is left
// after an interruption goes as a PATCH.
type upload struct {
	c       *Client
	repo    string
	desc    ocispec.Descriptor
	open    Open
	session *url.URL // nil: none is open
	off     int64    // what the registry has of the blob
}

// run uploads the blob, as often as it takes and is allowed.
func (u *upload) run(ctx context.Context) (err error) {
	defer func() {
		if err != nil && u.session != nil {
			u.c.cancelUpload(ctx, u.repo, u.session)
		}
	}()
	var best int64
	var broken error
	begun := time.Now()
	for try := 1; ; try++ {
		err := u.attempt(ctx)
		if err == nil {
			return nil
		}
		var se *SourceError
		switch {
		case errors.As(err, &se):
			return err
		case errors.Is(err, ErrRetry) && broken != nil:
			return fmt.Errorf("%w: %w", err, broken)
		case stale(err) && u.off > 0 && try < u.c.tries:
			u.restart(ctx)
			continue
		}
		broken = err
		if err := u.c.pause(ctx, try, begun, err, "push blob "+u.desc.Digest.String()); err != nil {
			return err
		}
		u.resume(ctx)
		if u.off > best { // progress: a bad line may break often
			best, try, begun = u.off, 0, time.Now()
		}
	}
}

// attempt sends what the registry lacks.
func (u *upload) attempt(ctx context.Context) error {
	if u.session == nil {
		if err := u.begin(ctx); err != nil {
			return err
		}
	}
	body, err := u.source()
	if err != nil {
		return err
	}
	defer body.Close()
	if u.off == 0 {
		return u.put(ctx, body, u.desc.Size)
	}
	if err := u.patch(ctx, body); err != nil {
		return err
	}
	return u.put(ctx, http.NoBody, 0)
}

func (u *upload) begin(ctx context.Context) error {
	resp, err := u.c.send(ctx, call{
		method: http.MethodPost, repo: u.repo, url: u.c.repoURL(u.repo, "blobs/uploads/"), want: []int{http.StatusAccepted},
	})
	if err != nil {
		return err
	}
	defer resp.done()
	u.session, err = u.c.location(resp)
	u.off = 0
	return err
}

// source opens the blob's bytes at off.
func (u *upload) source() (io.ReadCloser, error) {
	r, err := u.open()
	if errors.Is(err, ErrRetry) {
		return nil, err
	}
	if err != nil {
		return nil, &SourceError{u.desc.Digest, err}
	}
	if u.off == 0 {
		return r, nil
	}
	if s, ok := r.(io.Seeker); ok {
		_, err = s.Seek(u.off, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r, u.off)
	}
	if err != nil {
		_ = r.Close()
		return nil, &SourceError{u.desc.Digest, err}
	}
	return r, nil
}

// patch sends the rest of the blob from off on.
func (u *upload) patch(ctx context.Context, body io.Reader) error {
	header := http.Header{"Content-Range": {fmt.Sprintf("%d-%d", u.off, u.desc.Size-1)}}
	resp, err := u.transfer(ctx, http.MethodPatch, u.session, header, body, u.desc.Size-u.off, http.StatusAccepted)
	if err != nil {
		return err
	}
	defer resp.done()
	next, err := u.c.location(resp)
	if err != nil {
		return err
	}
	u.session, u.off = next, u.desc.Size
	return nil
}

// put completes the upload: with body if the registry has nothing yet, without if it has it all.
func (u *upload) put(ctx context.Context, body io.Reader, size int64) error {
	to := *u.session
	q := to.Query()
	q.Set("digest", u.desc.Digest.String())
	to.RawQuery = q.Encode()
	resp, err := u.transfer(ctx, http.MethodPut, &to, nil, body, size, http.StatusCreated)
	if err != nil {
		return err
	}
	defer resp.done()
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != u.desc.Digest.String() {
		return fmt.Errorf("%w: it stored %s as %s", errGarbage, u.desc.Digest, shorten(got))
	}
	u.session = nil
	return nil
}

// transfer sends bytes of the source. When it returns, the source is not read any more.
func (u *upload) transfer(ctx context.Context, method string, to *url.URL, header http.Header, body io.Reader, size int64, want int) (*reply, error) {
	ctx, watch := newWatch(ctx, u.c.stall)
	src := &source{r: io.LimitReader(body, size), want: size, watch: watch, store: u.c.stall + time.Duration(size)*time.Second/storeRate}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), src)
	if err != nil {
		watch.stop()
		return nil, err
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := u.c.roundTrip(req, u.repo, watch, []int{want})
	_ = src.Close()
	if failure := src.failure(); failure != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, &SourceError{u.desc.Digest, failure}
	}
	return resp, err
}

// resume finds out after an interruption how much has arrived. If the registry cannot tell, the upload starts anew.
func (u *upload) resume(ctx context.Context) {
	if u.session == nil {
		return
	}
	off, next, err := u.status(ctx)
	if err == nil && off > 0 && off < u.desc.Size {
		u.off, u.session = off, next
		u.c.log.Info("mirror: resuming upload", "digest", u.desc.Digest, "offset", off, "size", u.desc.Size)
		return
	}
	u.restart(ctx)
}

// restart gives the session up and begins anew.
func (u *upload) restart(ctx context.Context) {
	u.c.cancelUpload(ctx, u.repo, u.session)
	u.session, u.off = nil, 0
}

// stale tells whether the registry does not know what it said it had of an upload.
func stale(err error) bool {
	var status *StatusError
	return errors.As(err, &status) &&
		(status.Code == http.StatusNotFound || status.Code == http.StatusRequestedRangeNotSatisfiable)
}

func (u *upload) status(ctx context.Context) (int64, *url.URL, error) {
	resp, err := u.c.send(ctx, call{
		method: http.MethodGet, repo: u.repo, url: u.session.String(), want: []int{http.StatusNoContent},
	})
	if err != nil {
		return 0, nil, err
	}
	defer resp.done()
	off, ok := parseRange(resp.Header.Get("Range"))
	if !ok {
		return 0, nil, fmt.Errorf("%w: upload range %q", errGarbage, shorten(resp.Header.Get("Range")))
	}
	next, err := u.c.location(resp)
	return off, next, err
}

// cancelUpload gives up a session, so that its bytes do not fill the registry's disk. It is a courtesy: registries
// throw old sessions away by themselves.
func (c *Client) cancelUpload(ctx context.Context, repo string, session *url.URL) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	resp, err := c.sendOnce(ctx, call{
		method: http.MethodDelete, repo: repo, url: session.String(),
		want: []int{http.StatusNoContent, http.StatusOK, http.StatusAccepted},
	})
	if err != nil {
		c.log.Debug("mirror: upload not cancelled", "error", err)
		return
	}
	resp.done()
}

// location reads where an upload goes on. Registries behind a proxy that ends TLS often answer with http://; on the
// mirror's own host the configured scheme is right.
func (c *Client) location(resp *reply) (*url.URL, error) {
	loc := resp.Header.Get("Location")
	if loc == "" {
		return nil, fmt.Errorf("%w: no upload location", errGarbage)
	}
	u, err := resp.Request.URL.Parse(loc)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: upload location %q", errGarbage, shorten(loc))
	}
	if u.Host == c.base.Host {
		u.Scheme = c.base.Scheme
	}
	return u, nil
}
