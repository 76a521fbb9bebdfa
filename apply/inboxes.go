package apply

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/inbox"
	"github.com/sallyport-dev/sallyport/apply/mirror"
)

// LinkConfig is how what a server has is fetched.
type LinkConfig struct {
	// CA is a PEM file of certificates to trust beside the system's.
	CA string `json:"ca"`
	// BytesPerSecond bounds what an inbox takes of the link; 0 does not.
	BytesPerSecond int64 `json:"bytesPerSecond"`
}

func (c *LinkConfig) check(fail failFunc) {
	if c != nil && c.BytesPerSecond < 0 {
		fail("spec.link.bytesPerSecond", "is less than nothing", "give bytes, as in 50000, or remove it")
	}
}

func (c *LinkConfig) resolve(base string) {
	if c != nil && c.CA != "" && !filepath.IsAbs(c.CA) {
		c.CA = filepath.Join(base, c.CA)
	}
}

// Inboxes are the places of site.yaml where bundles may lie.
func (s *Site) Inboxes() (all []inbox.Source, err error) {
	for i, from := range s.cfg.Spec.Inbox {
		if !strings.Contains(from, "://") {
			all = append(all, inbox.Folder(from))
			continue
		}
		w, err := s.webInbox(from, i)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

func (s *Site) webInbox(from string, i int) (*inbox.Web, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	w := &inbox.Web{URL: from, Spool: s.path(filepath.Join("fetched", strconv.Itoa(i)))}
	if c := s.cfg.Spec.Link; c != nil {
		w.Rate = c.BytesPerSecond
		if c.CA != "" {
			if err := own("spec.link.ca", c.CA); err != nil {
				return nil, err
			}
			pool, err := mirror.ReadCA(c.CA)
			if err != nil {
				return nil, err
			}
			transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
	}
	w.Client = inbox.NewClient(transport)
	return w, nil
}

// doctorLinkTime bounds how long Doctor waits for an inbox on a server.
const doctorLinkTime = 20 * time.Second

// inboxesAnswer looks at the inboxes on servers: a pass takes one that does not answer for a link that is down, and says nothing.
func (s *Site) inboxesAnswer(ctx context.Context) (all []Finding) {
	sources, err := s.Inboxes()
	if err != nil {
		return []Finding{found("inbox", err, "", "")}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorLinkTime)
	defer cancel()
	for _, from := range sources {
		if w, ok := from.(*inbox.Web); ok {
			n, err := w.Check(ctx)
			all = append(all, found("inbox", err, fmt.Sprintf("%s has %s", w, bundles(n)), "nothing, if the link is down now; else correct spec.inbox in site.yaml, or what stands on the server"))
		}
	}
	return all
}

func bundles(n int) string {
	if n == 1 {
		return "1 bundle"
	}
	return fmt.Sprintf("%d bundles", n)
}
