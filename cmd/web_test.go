//go:build !site

package cmd

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rsc.io/qr"
)

// browsed is sallyport web as a process, and a browser that knows its token.
type browsed struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  string // up to where it serves
	url   string
	token string
	http.Client
}

// serveWeb starts sallyport web for a new site.
func serveWeb(t *testing.T, args ...string) (s *browsed, dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"state", "manifests"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	site := filepath.Join(dir, "site.yaml")
	yaml := "apiVersion: sallyport.dev/v1\nkind: Site\nmetadata: {name: store-0142}\nspec:\n  state: state\n  trust: keys.pub\n" +
		"  mirror: {dir: mirror, listen: \"127.0.0.1:1\"}\n  target: {manifestsDir: {path: manifests}}\n"
	if err := os.WriteFile(site, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Args = append([]string{"sallyport", "web", "--site", site}, args...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s = &browsed{t: t, cmd: c}
	last := "token"
	if len(args) > 2 {
		last = "proof"
	}
	lines := bufio.NewScanner(out)
	for !strings.HasPrefix(s.lastLine(), last) && lines.Scan() {
		s.said += lines.Text() + "\n"
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.url = regexp.MustCompile(`page +(https?://\S+/),`).FindStringSubmatch(s.said + "page http://none/,")[1]
	s.token = regexp.MustCompile(`token +(\S+)`).FindStringSubmatch(s.said + "token none")[1]
	if s.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func (s *browsed) lastLine() string {
	said := strings.TrimSuffix(s.said, "\n")
	return said[strings.LastIndex(said, "\n")+1:]
}

// ask gives an answer's status and body.
func (s *browsed) ask(method, path string, form url.Values) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// A technician's way: the page is read, the token is given, the site is frozen by a verb of its own, and a signal ends the page although a
// tab is open.
func TestWeb(t *testing.T) {
	s, dir := serveWeb(t, "--listen", "127.0.0.1:0")
	if status, body := s.ask(http.MethodGet, "", nil); status != 200 || !strings.Contains(body, "store-0142") {
		t.Fatalf("%d %s, of a page that said %s", status, body, s.said)
	}
	if status, _ := s.ask(http.MethodPost, "do/freeze", url.Values{"reason": {"x"}}); status != http.StatusUnauthorized {
		t.Errorf("without the token: %d", status)
	}
	if status, body := s.ask(http.MethodPost, "login", url.Values{"token": {s.token}}); status != 200 || !strings.Contains(body, "do/freeze") {
		t.Fatalf("login: %d %s", status, body)
	}
	s.ask(http.MethodPost, "do/freeze", url.Values{"reason": {"stocktaking"}})
	s.waitFor("Done.", "stocktaking")
	if _, err := os.Stat(filepath.Join(dir, "state", "freeze.json")); err != nil {
		t.Error(err)
	}
	s.ask(http.MethodPost, "do/rollback", url.Values{"sure": {"yes"}})
	s.waitFor("It did not succeed.")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

// waitFor waits until the page says all of the words.
func (s *browsed) waitFor(words ...string) {
	s.t.Helper()
	for late := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, body := s.ask(http.MethodGet, "state", nil)
		missing := ""
		for _, word := range words {
			if !strings.Contains(body, word) {
				missing = word
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(late) {
			s.t.Fatalf("the page does not say %q:\n%s", missing, body)
		}
	}
}

// For other machines all travels by TLS; whoever compares the fingerprint knows with whom they talk, and it stays the same.
func TestWebForOthers(t *testing.T) {
	s, dir := serveWeb(t, "--listen", "0.0.0.0:0", "--name", "127.0.0.1", "--qr")
	proof := regexp.MustCompile(`fingerprint is ([0-9A-F:]+)`).FindStringSubmatch(s.said)
	if len(proof) == 0 || !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatalf("it says %s", s.said)
	}
	s.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(c tls.ConnectionState) error { //nolint:gosec // it is compared
		if got := fmt.Sprintf("%X", sha256.Sum256(c.PeerCertificates[0].Raw)); got != strings.ReplaceAll(proof[1], ":", "") {
			return fmt.Errorf("the certificate's fingerprint is %s", got)
		}
		return nil
	}}}
	if status, body := s.ask(http.MethodGet, "", nil); status != http.StatusUnauthorized || strings.Contains(body, "store-0142") {
		t.Errorf("without the token: %d %s", status, body)
	}
	if status, body := s.ask(http.MethodGet, "login?token="+s.token, nil); status != 200 || !strings.Contains(body, "store-0142") {
		t.Errorf("with it: %d %s", status, body)
	}
	if fi, err := os.Stat(filepath.Join(dir, "state", "web.pem")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the certificate's file: %v, %v", fi, err)
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestPlaceOf(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8474": "http://127.0.0.1:1/ 127.0.0.1:1 [::1]:1 localhost:1",
		"localhost:8474": "http://localhost:1/ localhost:1 127.0.0.1:1",
		"[::1]:8474":     "http://[::1]:1/ [::1]:1",
		"192.0.2.7:8474": "https://192.0.2.7:1/ 192.0.2.7:1",
	} {
		at, err := placeOf(listen, nil)
		if err != nil {
			t.Errorf("%s: %v", listen, err)
			continue
		}
		at.on(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
		if got := at.url + " " + strings.Join(at.hosts, " "); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", listen, got)
		}
	}
	for _, listen := range []string{"8474", ":8474", "0.0.0.0:8474", "[::]:8474", ""} {
		if _, err := placeOf(listen, nil); exitCode(err) != exitUsage {
			t.Errorf("%q: %v", listen, err)
		}
	}
	at, err := placeOf(":443", []string{"Store.lan"})
	if err != nil {
		t.Fatal(err)
	}
	at.on(&net.TCPAddr{Port: 443})
	if got := strings.Join(at.hosts, " "); got != "store.lan:443 store.lan" || at.url != "https://store.lan:443/" {
		t.Errorf("%s, %s", got, at.url)
	}
}

// Two rows stand in each line, and there is a light rim around them all.
func TestBlocks(t *testing.T) {
	c, err := qr.Encode("http://127.0.0.1/", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	lines := blocks(c)
	if want := (c.Size + 5) / 2; len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	for i, line := range lines {
		cells := []rune(line)
		if len(cells) != c.Size+4 || i == 0 && strings.Trim(line, "█") != "" || cells[0] != '█' && i < len(lines)-1 {
			t.Errorf("line %d is %q", i, line)
		}
		for x, cell := range cells {
			dark := map[rune][2]bool{'█': {false, false}, '▀': {false, true}, '▄': {true, false}, ' ': {true, true}}[cell]
			for half := range 2 {
				if y := 2*i - 2 + half; y < c.Size+2 && dark[half] != c.Black(x-2, y) {
					t.Fatalf("cell %d of line %d is %q", x, i, cell)
				}
			}
		}
	}
}
