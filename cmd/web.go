//go:build !site

package cmd

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"github.com/sallyport-dev/sallyport/web"
)

// defaultWeb is where the page is unless said otherwise.
const defaultWeb = "127.0.0.1:8474"

type webFlags struct {
	listen string
	names  []string
	qr     bool
}

func (p *program) webVerb() *cobra.Command {
	var f webFlags
	c := &cobra.Command{
		Use:   "web",
		Short: "Show the site in a browser, until stopped",
		Long: `Serve a page for technicians, until stopped: what the site runs, what is staged, what is under way and how far, the checks and what
they said, the history, the next window, the media that are plugged in, and one sentence on what to do next; in English, German,
Spanish or Hungarian. It changes as the site does.

Everybody on this machine may read. Whoever wants to apply a bundle, roll back or freeze gives the token that is printed here. What is begun
there runs as a verb of its own, under the site's lock, and goes on when the page is stopped.

With --listen HOST:PORT at another address than the loopback all travels by TLS, and the token is wanted for reading, too. The
certificate is the site's own, so a browser asks whether to believe it: compare the fingerprint that is printed here. --qr shows a code
for a telephone's camera, which brings page and token. Only the address, and the hosts of --name, are answered.`,
		Example: "  sallyport web\n  sallyport web --listen 192.0.2.7:8474 --name store-0142.lan --qr",
		Args:    args(),
		RunE:    func(c *cobra.Command, _ []string) error { return p.web(c.Context(), f) },
	}
	c.Flags().StringVar(&f.listen, "listen", defaultWeb, "the `ADDRESS` to serve the page at, HOST:PORT")
	c.Flags().StringArrayVar(&f.names, "name", nil, "a `HOST` by which the page is also asked for; may be repeated")
	c.Flags().BoolVar(&f.qr, "qr", false, "show the page's address and token as a QR code on the terminal")
	return exits(c)
}

func (p *program) web(ctx context.Context, f webFlags) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	at, err := placeOf(f.listen, f.names)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("the page cannot be served at %s: %w", f.listen, err)
	}
	defer ln.Close()
	at.on(ln.Addr())
	cfg := web.Config{Site: s, Token: rand.Text(), Hosts: at.hosts, Run: p.runVerbOf, Log: p.webLog()}
	if !at.loopback {
		if cfg.Certificate, err = web.LoadCertificate(s.WebCertificate(), s.Config().Metadata.Name, at.names); err != nil {
			return err
		}
	}
	server, err := web.New(cfg)
	if err != nil {
		return err
	}
	p.tellPlace(at, cfg, f.qr)
	return server.Serve(ctx, ln)
}

func (p *program) webLog() *slog.Logger {
	level := slog.LevelInfo
	if p.flags.quiet {
		level = slog.LevelWarn
	}
	if p.flags.logFormat == "json" {
		return jsonLog(p.err, level)
	}
	return slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: level}))
}

// place is where the page is.
type place struct {
	loopback bool
	names    []string // hosts, without ports
	hosts    []string // as requests name them
	url      string
}

func placeOf(listen string, names []string) (*place, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--listen %q is not HOST:PORT", listen), "write for example " + defaultWeb}
	}
	ip := net.ParseIP(host)
	at := &place{loopback: ip.IsLoopback() || host == "localhost"}
	switch {
	case host == "" || ip.IsUnspecified():
		if len(names) == 0 {
			return nil, &usageError{fmt.Sprintf("--listen %q is every address, and the page has to know by which name it is asked for", listen), "add --name HOST, or name one address"}
		}
	case at.loopback:
		at.names = []string{host}
		for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
			if name != host {
				at.names = append(at.names, name)
			}
		}
	default:
		at.names = []string{host}
	}
	at.names = append(append([]string{}, names...), at.names...)
	return at, nil
}

// on completes a place when its port is known.
func (at *place) on(addr net.Addr) {
	_, port, _ := net.SplitHostPort(addr.String()) // it is one of ours
	scheme, standard := "https", "443"
	if at.loopback {
		scheme, standard = "http", "80"
	}
	for _, name := range at.names {
		host := strings.ToLower(net.JoinHostPort(name, port))
		at.hosts = append(at.hosts, host)
		if port == standard {
			at.hosts = append(at.hosts, strings.TrimSuffix(host, ":"+port))
		}
	}
	at.url = scheme + "://" + at.hosts[0] + "/"
}

func (p *program) tellPlace(at *place, cfg web.Config, code bool) {
	p.ui.line("page", "%s, until stopped", at.url)
	p.ui.line("token", "%s", cfg.Token)
	if cfg.Certificate != nil {
		p.ui.line("proof", "the certificate's SHA-256 fingerprint is %s", web.Fingerprint(cfg.Certificate))
	}
	if !code {
		return
	}
	c, err := qr.Encode(at.url+"login?token="+cfg.Token, qr.M)
	if err != nil {
		p.note("there is no code for a camera", err)
		return
	}
	for _, line := range blocks(c) {
		p.ui.print("%s\n", line)
	}
}

// blocks draws a code, two rows of it in each line, with the quiet zone that cameras need.
func blocks(c *qr.Code) (lines []string) {
	const quiet = 2
	for y := -quiet; y < c.Size+quiet; y += 2 {
		var line strings.Builder
		for x := -quiet; x < c.Size+quiet; x++ {
			// Light is drawn, dark is not: on a dark terminal that is the code, and on a light one cameras read it inverted.
			upper, lower := !c.Black(x, y), !c.Black(x, y+1)
			line.WriteString(map[[2]bool]string{{true, true}: "█", {true, false}: "▀", {false, true}: "▄", {false, false}: " "}[[2]bool{upper, lower}])
		}
		lines = append(lines, line.String())
	}
	return lines
}

// runVerbOf runs a verb of this program as a process of its own, in a group of its own: it ends when it is done, not when the page is
// stopped. What it has to say on the way is given line by line, and why it failed is the error.
func (p *program) runVerbOf(ctx context.Context, args []string, say func(string)) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, exe, append([]string{args[0], "--site", p.flags.site, "--json", "--progress", "plain"}, args[1:]...)...) //nolint:gosec // this program, and verbs of ours
	c.Args[0] = os.Args[0]
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = time.Second
	words, out := io.Pipe()
	c.Stderr = out
	var result strings.Builder
	c.Stdout = &result
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(words); lines.Scan(); {
			say(lines.Text())
		}
		_, _ = io.Copy(io.Discard, words) // a line was too long
	}()
	err = c.Run()
	_ = out.Close()
	<-done
	return verbError(err, result.String())
}

// verbError is what a verb's JSON says of how it failed.
func verbError(err error, object string) error {
	var told struct{ Error *errorObject }
	if json.Unmarshal([]byte(object), &told) == nil && told.Error != nil {
		return errors.New(strings.TrimSpace(told.Error.Message + ". " + told.Error.Hint))
	}
	return err
}
