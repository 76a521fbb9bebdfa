package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/check"
)

const secret = "the token"

// newSite is a site that nothing was ever applied to.
func newSite(t *testing.T) *apply.Site {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"state", "manifests", "mirror"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "site.yaml")
	yaml := "apiVersion: sallyport.dev/v1\nkind: Site\nmetadata: {name: store-0142, labels: {region: emea}}\nspec:\n  state: state\n  trust: keys.pub\n" +
		"  mirror: {dir: mirror, listen: \"127.0.0.1:1\"}\n  target: {manifestsDir: {path: manifests}}\n"
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := apply.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return apply.Open(cfg, nil)
}

// verbs are those that a page has begun.
type verbs struct {
	mu    sync.Mutex
	begun [][]string
	wait  chan struct{}
	err   error
}

func (v *verbs) run(_ context.Context, args []string, say func(string)) error {
	v.mu.Lock()
	v.begun = append(v.begun, args)
	v.mu.Unlock()
	say("loading <script>alert(1)</script>")
	if v.wait != nil {
		<-v.wait
	}
	return v.err
}

func (v *verbs) all() [][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.begun)
}

// page is a page that is served, and a browser's part.
type page struct {
	*http.Client
	t    *testing.T
	url  string
	stop func() error // ends the page and gives what Serve did
}

// serve serves a page of a site until the test ends.
func serve(t *testing.T, cfg Config) *page {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token, cfg.Hosts, cfg.Log = secret, []string{ln.Addr().String()}, slog.New(slog.NewTextHandler(failing{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{Client: &http.Client{Jar: jar}, t: t, url: "http://" + ln.Addr().String(), stop: stop}
	if cfg.Certificate != nil {
		p.url = "https://" + ln.Addr().String()
		p.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // its fingerprint is looked at elsewhere
	}
	return p
}

// failing fails a test by what is written to it: an error of the page's, such as a template's.
type failing struct{ t *testing.T }

func (f failing) Write(b []byte) (int, error) {
	f.t.Errorf("the page says %s", b)
	return len(b), nil
}

// do asks, and gives status and body.
func (p *page) do(method, path string, form url.Values, header ...string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := p.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (p *page) wants(method, path string, form url.Values, status int, words ...string) {
	p.t.Helper()
	got, body := p.do(method, path, form)
	if got != status {
		p.t.Errorf("%s %s gave %d, want %d: %s", method, path, got, status, body)
	}
	for _, word := range words {
		if !strings.Contains(body, word) {
			p.t.Errorf("%s %s does not say %q:\n%s", method, path, word, body)
		}
	}
}

// waitFor waits until the page's state has all of the words.
func (p *page) waitFor(words ...string) {
	p.t.Helper()
	for late := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, body := p.do(http.MethodGet, "/state", nil)
		missing := slices.IndexFunc(words, func(word string) bool { return !strings.Contains(body, word) })
		if missing < 0 {
			return
		}
		if time.Now().After(late) {
			p.t.Fatalf("it does not say %q:\n%s", words[missing], body)
		}
	}
}

func (p *page) login() {
	p.t.Helper()
	p.wants(http.MethodPost, "/login", url.Values{"token": {secret}}, http.StatusOK)
}

func TestPage(t *testing.T) {
	site := newSite(t)
	p := serve(t, Config{Site: site})
	p.wants(http.MethodGet, "/", nil, 200, `<html lang="en">`, "store-0142", "region emea", "No release runs here yet", `href="/login"`)
	if _, err := site.Freeze(`<b>"stock"`, nil, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(glanceEvery)
	p.wants(http.MethodGet, "/state", nil, 200, `&lt;b&gt;&#34;stock&#34;`)
	for _, asset := range []string{"/style.css", "/page.js"} {
		p.wants(http.MethodGet, asset, nil, 200)
	}
	for _, path := range []string{"/page.html", "/assets/page.js", "/../server.go", "/do/freeze", "/x"} {
		if status, _ := p.do(http.MethodGet, path, nil); status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s gave %d", path, status)
		}
	}
}

// A name of somebody else's that was made to lead here is not answered (DNS rebinding), nor is one that only begins like ours.
func TestOnlyKnownHosts(t *testing.T) {
	p := serve(t, Config{Site: newSite(t)})
	host := strings.TrimPrefix(p.url, "http://")
	for _, name := range []string{"evil.example", "evil.example:80", host + ".evil.example", "127.0.0.1", "localhost", strings.Replace(host, "127.0.0.1", "127.0.0.2", 1)} {
		if status, body := p.do(http.MethodGet, "/", nil, "Host", name); status != http.StatusMisdirectedRequest || strings.Contains(body, "store-0142") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestWhoMayAct(t *testing.T) {
	v := &verbs{}
	p := serve(t, Config{Site: newSite(t), Run: v.run})
	p.wants(http.MethodPost, "/do/freeze", url.Values{"reason": {"x"}}, http.StatusUnauthorized, `name="token"`)
	p.wants(http.MethodPost, "/login", url.Values{"token": {"the tokem"}}, http.StatusForbidden, "not the token")
	p.wants(http.MethodPost, "/login", url.Values{"token": {""}}, http.StatusForbidden)
	p.wants(http.MethodPost, "/do/unfreeze", nil, http.StatusUnauthorized)
	p.login()
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}} {
		if status, body := p.do(http.MethodPost, "/do/freeze", url.Values{}, header...); status != http.StatusForbidden {
			t.Errorf("%q: %d %s", header, status, body)
		}
	}
	if begun := v.all(); len(begun) > 0 {
		t.Fatalf("it began %q", begun)
	}
	p.wants(http.MethodPost, "/do/freeze", url.Values{"reason": {"stock\n-taking"}}, 200, "sallyport freeze")
	for late := time.Now().Add(time.Minute); len(v.all()) == 0 && time.Now().Before(late); {
		time.Sleep(10 * time.Millisecond)
	}
	if begun := fmt.Sprintf("%q", v.all()); begun != `[["freeze" "--reason=stock\n-taking"]]` {
		t.Errorf("it began %s", begun)
	}
}

func TestActions(t *testing.T) {
	v := &verbs{wait: make(chan struct{}), err: errors.New("it did <not> work")}
	p := serve(t, Config{Site: newSite(t), Run: v.run})
	p.login()
	p.wants(http.MethodGet, "/", nil, 200, `action="/do/rollback"`)
	for path, form := range map[string]url.Values{
		"/do/rollback": {},
		"/do/apply":    {"bundle": {"/etc/passwd"}},
		"/do/nothing":  {},
		"/do/confirm":  {},
	} {
		p.wants(http.MethodPost, path, form, http.StatusBadRequest)
	}
	p.wants(http.MethodPost, "/do/rollback", url.Values{"sure": {"yes"}}, 200, "Leave the machine switched on")
	p.waitFor("loading &lt;script&gt;")
	p.wants(http.MethodPost, "/do/unfreeze", nil, http.StatusConflict)
	close(v.wait)
	p.waitFor("It did not succeed.", "it did &lt;not&gt; work")
	if begun := fmt.Sprintf("%q", v.all()); begun != `[["rollback"]]` {
		t.Errorf("it began %s", begun)
	}
}

// At an address that others reach, nothing is read without the token.
func TestRemotePage(t *testing.T) {
	c, err := LoadCertificate(filepath.Join(t.TempDir(), "web.pem"), "store-0142", []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	p := serve(t, Config{Site: newSite(t), Certificate: c})
	for _, path := range []string{"/", "/state", "/events"} {
		if status, body := p.do(http.MethodGet, path, nil); status != http.StatusUnauthorized || strings.Contains(body, "store-0142") || strings.Contains(body, "emea") {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	p.wants(http.MethodGet, "/login?token="+url.QueryEscape(secret), nil, 200, "store-0142")
	p.wants(http.MethodGet, "/state", nil, 200)
	jarURL, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	if cookies := p.Jar.Cookies(jarURL); len(cookies) != 1 {
		t.Errorf("the browser holds %v", cookies)
	}
}

func TestCookies(t *testing.T) {
	for _, remote := range []bool{false, true} {
		s := &Server{cfg: Config{Token: secret}}
		if remote {
			s.cfg.Certificate = &tls.Certificate{}
		}
		w := httptest.NewRecorder()
		s.login(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/login?token="+url.QueryEscape(secret), nil))
		c := w.Result().Cookies()[0] //nolint:bodyclose // a recorder's
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != remote || len(c.Value) < 20 || strings.Contains(c.Value, secret) {
			t.Errorf("the cookie is %+v", c)
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	var ids []string
	now := time.Now()
	for i := range maxSessions + 1 {
		ids = append(ids, s.begin(now.Add(time.Duration(i)*time.Second)))
	}
	has := func(id string) bool {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: id})
		return s.has(r)
	}
	if has(ids[0]) || !has(ids[1]) || !has(ids[maxSessions]) || has("") || len(s.open) != maxSessions {
		t.Errorf("%d sessions", len(s.open))
	}
	old := s.begin(now.Add(-sessionTime - time.Second))
	if has(old) {
		t.Error("one that is over counts")
	}
}

// events reads a stream's events.
func (p *page) events() (next func() (name, data string), end func()) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		p.t.Fatalf("it is %s", kind)
	}
	lines := bufio.NewScanner(resp.Body)
	next = func() (name, data string) {
		for lines.Scan() {
			switch line := lines.Text(); {
			case line == "" && name != "":
				return name, data
			case strings.HasPrefix(line, "event: "):
				name = line[len("event: "):]
			case strings.HasPrefix(line, "data: "):
				data += line[len("data: "):] + "\n"
			}
		}
		return "end", fmt.Sprint(lines.Err())
	}
	return next, func() { cancel(); resp.Body.Close() }
}

func TestStreamTellsChanges(t *testing.T) {
	site := newSite(t)
	p := serve(t, Config{Site: site})
	next, end := p.events()
	defer end()
	if name, data := next(); name != "state" || !strings.Contains(data, "No release runs here yet") {
		t.Fatalf("%s: %s", name, data)
	}
	p.wants(http.MethodGet, "/state", nil, 200, "As of")
	if _, err := site.Freeze("stocktaking", nil, 0); err != nil {
		t.Fatal(err)
	}
	// The disk may fill meanwhile, which is told, too. The time of a look is not: each would be a change, and be read out.
	for {
		name, data := next()
		if name != "state" || strings.Contains(data, "As of") {
			t.Fatalf("%s: %s", name, data)
		}
		if strings.Contains(data, "stocktaking") {
			return
		}
	}
}

// A browser gives one server six connections: the first of five streams makes room, so that another page is answered.
func TestFifthStream(t *testing.T) {
	p := serve(t, Config{Site: newSite(t)})
	first, end := p.events()
	defer end()
	if name, _ := first(); name != "state" {
		t.Fatal(name)
	}
	for range maxStreams {
		next, end := p.events()
		defer end()
		if name, data := next(); name != "state" {
			t.Fatalf("%s: %s", name, data)
		}
	}
	if name, data := first(); name != "full" {
		t.Errorf("%s: %s", name, data)
	}
	if name, _ := first(); name != "end" {
		t.Errorf("then %s", name)
	}
}

// An open stream makes a stop hang: golang/go#41344.
func TestStopsWithOpenStreams(t *testing.T) {
	p := serve(t, Config{Site: newSite(t)})
	next, end := p.events()
	defer end()
	if name, _ := next(); name != "state" {
		t.Fatal(name)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if name, data := next(); name != "end" || data != "<nil>" {
		t.Errorf("the stream did not end well: %s %s", name, data)
	}
}

func TestEventHasNoLinesOfItsOwn(t *testing.T) {
	got := event("state", "a\nb\r\nevent: evil\rdata: x")
	if got != "event: state\ndata: a\ndata: b\ndata: event: evil\ndata: data: x\n\n" {
		t.Errorf("%q", got)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln = limited(ln, 2)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	<-accepted
	select {
	case <-accepted:
		t.Error("a third one was accepted")
	case <-time.After(100 * time.Millisecond):
	}
	if err := errors.Join(first.Close(), first.Close()); err == nil {
		t.Error("closing twice is no error of the connection's")
	}
	<-accepted
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-accepted; open {
		t.Error("it accepts after it was closed")
	}
}

func TestLanguages(t *testing.T) {
	p := serve(t, Config{Site: newSite(t)})
	for accept, lang := range map[string]string{"": "en", "de-AT,de;q=0.9,en;q=0.5": "de", "es-MX": "es", "hu": "hu", "fr": "en", "fr,hu;q=0.2": "hu", "\x80;;": "en"} {
		if _, body := p.do(http.MethodGet, "/", nil, "Accept-Language", accept); !strings.Contains(body, `<html lang="`+lang+`">`) {
			t.Errorf("%q does not give %s", accept, lang)
		}
	}
	p.wants(http.MethodPost, "/language", url.Values{"lang": {"hu"}}, 200, `<html lang="hu">`, "Itt még nem fut kiadás")
	p.wants(http.MethodPost, "/language", url.Values{"lang": {"../en"}}, http.StatusBadRequest)
}

// Every language has the texts that the page uses, with what goes into them, and no others.
func TestTexts(t *testing.T) {
	all, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	used := usedTexts(t)
	verbs := regexp.MustCompile(`%\[\d\][sd]|%`)
	for lang, texts := range all {
		for key, text := range texts {
			want, got := verbs.FindAllString(all["en"][key], -1), verbs.FindAllString(text, -1)
			slices.Sort(want)
			slices.Sort(got)
			if text == "" || !slices.Equal(want, got) {
				t.Errorf("%s, %s: %q has %q, English has %q", lang, key, text, got, want)
			}
			if !used(key) {
				t.Errorf("%s, %s: nobody uses it", lang, key)
			}
		}
		for key := range all["en"] {
			if texts[key] == "" {
				t.Errorf("%s has no text %s", lang, key)
			}
		}
	}
}

// usedTexts looks for the keys of texts in templates and code.
func usedTexts(t *testing.T) func(key string) bool {
	t.Helper()
	var source strings.Builder
	for _, pattern := range []string{"assets/*.html", "pages.go", "texts.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	all := source.String()
	for _, found := range regexp.MustCompile(`\bT "([a-z.]+)"`).FindAllStringSubmatch(all, -1) {
		texts, err := loadTexts()
		if err != nil {
			t.Fatal(err)
		}
		if texts["en"][found[1]] == "" {
			t.Errorf("there is no text %s", found[1])
		}
	}
	return func(key string) bool {
		family, _, _ := strings.Cut(key, ".")
		return strings.Contains(all, `"`+key+`"`) || strings.Contains(all, `"`+family+`.%s"`)
	}
}

// Whatever a status may hold has words.
func TestEveryStateHasWords(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range apply.Phases {
		keys = append(keys, "phase."+string(p))
	}
	for _, result := range apply.AttemptResults {
		keys = append(keys, "result."+result)
	}
	for _, v := range []check.Verdict{check.Pass, check.Fail, check.Error, check.Skipped} {
		keys = append(keys, "verdict."+string(v))
	}
	for _, key := range keys {
		if texts["en"][key] == "" {
			t.Errorf("there is no text %s", key)
		}
	}
}

func TestCertificate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.pem")
	load := func(names ...string) *tls.Certificate {
		c, err := LoadCertificate(path, "store-0142", names)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := load("192.0.2.7", "store.lan")
	if Fingerprint(first) != Fingerprint(load("store.lan")) {
		t.Error("it was made again")
	}
	for _, at := range []int{2001, 2026, 9998} {
		if when := time.Date(at, 1, 1, 0, 0, 0, 0, time.UTC); when.Before(first.Leaf.NotBefore) || when.After(first.Leaf.NotAfter) {
			t.Errorf("it does not hold in %d", at)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("its file is %v, %v", fi.Mode(), err)
	}
	if second := load("192.0.2.8"); Fingerprint(second) == Fingerprint(first) || second.Leaf.VerifyHostname("192.0.2.8") != nil {
		t.Error("it was not made for another name")
	}
	if !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(Fingerprint(first)) {
		t.Error(Fingerprint(first))
	}
	for name, text := range map[string]string{"empty": "", "cut": "-----BEGIN CERTIFICATE-----\nAAAA", "large": strings.Repeat("x", maxPEM+1)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadCertificate(path, "x", []string{"a"}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// The page's own words go into each of its sentences.
func TestNext(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	rel := &apply.Release{Name: "shop", Version: "2.0.0"}
	at := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	for want, st := range map[string]*apply.Status{
		"All is well":                          {Current: rel},
		"read them this":                       {Current: rel, NeedsPerson: true, Person: "the mirror lacks 2 blobs"},
		"Restart the machine":                  {Current: rel, Boot: &apply.BootStatus{RebootDue: true}, Attempt: &apply.Attempt{}, Phase: apply.Armed},
		"was interrupted":                      {Current: rel, Attempt: &apply.Attempt{}, Phase: apply.Trial},
		"2.0.0 failed, and shop 2.0.0 runs":    {Current: rel, LastAttempted: &apply.Attempt{Release: *rel, Reason: "a check"}},
		"shop 2.0.0 is staged and waits":       {Current: rel, Staged: rel, Phase: apply.Written, Held: true},
		"begins 2026-11-21 02:00 UTC":          {Current: rel, Staged: rel, Phase: apply.Written, NextWindow: &at},
		"sallyport apply --staged":             {Current: rel, Staged: rel, Phase: apply.Written, NextWindow: &at, WindowOpen: true},
		"shop 2.0.0 is staged, and the site":   {Current: rel, Staged: rel, Phase: apply.Written, Frozen: true, Freeze: &apply.Freeze{}},
		"nothing is switched until the freeze": {Current: rel, Frozen: true, Freeze: &apply.Freeze{}},
		"Leave the machine switched on":        {Current: rel, NeedsPerson: true, Health: &apply.Health{Busy: "pid 1"}},
	} {
		v := view{writer: writer{texts, "en"}, look: &look{status: st}}
		if got := v.Say(v.Next()); !strings.Contains(got, want) || strings.Contains(got, "%!") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzAcceptLanguage(f *testing.F) {
	texts, err := loadTexts()
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{texts: texts}
	for _, seed := range []string{"de", "hu;q=0.1, *", "-", "\xff"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, accept, cookie string) {
		r := &http.Request{Header: http.Header{"Accept-Language": {accept}}}
		r.AddCookie(&http.Cookie{Name: languageCookie, Value: cookie})
		if _, ok := texts[s.languageOf(r)]; !ok {
			t.Errorf("%q, %q: %s", accept, cookie, s.languageOf(r))
		}
	})
}

// The texts are JSON that nobody has doubled a key in: the second would hide the first.
func TestTextsHaveNoDoubledKeys(t *testing.T) {
	for _, tag := range languages {
		b, err := textFiles.ReadFile("texts/" + tag.String() + ".json")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		d := json.NewDecoder(strings.NewReader(string(b)))
		for i := 0; ; i++ {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if key, ok := tok.(string); ok && i%2 == 1 {
				if seen[key] {
					t.Errorf("%s has %s twice", tag, key)
				}
				seen[key] = true
			}
		}
	}
}
