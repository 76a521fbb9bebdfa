package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// A redirect must not make a site call on what only its own machines can reach.
func TestNoRedirectToAnotherPort(t *testing.T) {
	var called atomic.Int64
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer inner.Close()
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/twice" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		http.Redirect(w, r, inner.URL+"/?token=secret", http.StatusPermanentRedirect)
	}))
	defer outer.Close()
	for _, path := range []string{"/", "/twice"} {
		r := once(t, bundle.Check{HTTP: &bundle.HTTPCheck{URL: outer.URL + path}})
		expect(t, r, Fail, path+" answered 308, wanted 200; it points to "+inner.URL+", and")
		if strings.Contains(r.Message, "secret") {
			t.Errorf("the message tells what the address holds: %s", r.Message)
		}
	}
	expect(t, once(t, bundle.Check{HTTP: &bundle.HTTPCheck{URL: outer.URL, Status: 308}}), Pass, "")
	expect(t, once(t, bundle.Check{HTTP: &bundle.HTTPCheck{URL: outer.URL, Method: "POST"}}), Fail, "answered 308")
	if n := called.Load(); n > 0 {
		t.Errorf("the other port was called on %d times", n)
	}
}

func TestSamePlace(t *testing.T) {
	for _, tt := range []struct {
		to   string
		same bool
	}{
		{"http://shop.example/other", true},
		{"http://SHOP.example:80/", true},
		{"/other", true},
		{"//shop.example/other", true},
		{"https://shop.example/", false},
		{"http://shop.example:8080/", false},
		{"http://shop.example.evil/", false},
		{"http://shop.example@evil.example/", false},
		{"gopher://shop.example/", false},
	} {
		from := mustParse(t, "http://shop.example/health")
		to, err := from.Parse(tt.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := samePlace(to, from); got != tt.same {
			t.Errorf("%s: %v, want %v", tt.to, got, tt.same)
		}
	}
}

// rude accepts and does what it likes with the connection until the other side goes.
func rude(t *testing.T, talk func(io.Writer) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 1)); err != nil { // it is asked first
					return
				}
				for talk(c) == nil {
				}
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func says(text string, pause time.Duration) func(io.Writer) error {
	return func(w io.Writer) error {
		time.Sleep(pause)
		_, err := io.WriteString(w, text)
		return err
	}
}

func after(first string, next func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, first); err != nil {
			return err
		}
		for {
			if err := next(w); err != nil {
				return err
			}
		}
	}
}

// Whatever a server does, a check ends in its time, and what it says of it is short.
func TestRudeServers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n\r\n"
	for _, tt := range []struct {
		name, message string
		talk          func(io.Writer) error
	}{
		{"says nothing", "no answer in time", func(io.Writer) error { return io.EOF }},
		{"answers a letter at a time", "no answer in time", says("H", 10*time.Millisecond)},
		{"headers without end", "did not answer", after("HTTP/1.1 200 OK\r\n", says("X-More: "+strings.Repeat("x", 4000)+"\r\n", 0))},
		{"early hints without end", "did not answer", says("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", 0)},
		{"body a letter at a time", "broke off its answer: no answer in time", after(head, says("x", 10*time.Millisecond))},
		{"body without end", "does not match", after(head, says(strings.Repeat("x", 1<<16), 0))},
		{"another protocol", "did not answer", says("SSH-2.0-"+strings.Repeat("z", 4000)+"\r\n", 0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			r := once(t, bundle.Check{HTTP: &bundle.HTTPCheck{URL: rude(t, tt.talk), Body: "never"}, Timeout: 700 * ms})
			expect(t, r, Fail, tt.message)
			if took := time.Since(began); took > 20*time.Second || len(r.Message) > 2*maxMessage {
				t.Errorf("it took %s, and the message has %d bytes", took, len(r.Message))
			}
		})
	}
}

// What says something before it is asked is told in our words: Go has none.
func TestSpeaksUnasked(t *testing.T) {
	p := &httpProbe{url: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
	if got := p.noAnswer(errors.New("readLoopPeekFailLocked: %!w(<nil>)")).Error(); got != "http://127.0.0.1:1 did not answer: it speaks before it is asked" {
		t.Errorf("got %q", got)
	}
}

// A program's child may outlive it and keep its output open; one that leaves its process group cannot be killed with it.
func TestExecGrandchildren(t *testing.T) {
	for name, child := range map[string]string{"in its group": "sleep 60 &", "in another": "setsid sleep 60 &"} {
		for _, tt := range []struct {
			verdict Verdict
			end     string
		}{{Pass, "exit 0"}, {Fail, "exit 3"}, {Fail, "sleep 60"}} {
			t.Run(fmt.Sprint(name, " ", tt.end), func(t *testing.T) {
				began := time.Now()
				pid := t.TempDir() + "/pid"
				script := child + " echo $! >" + pid + "; " + tt.end
				r := once(t, bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"/bin/sh", "-c", script}}, Timeout: 1500 * ms})
				if r.Verdict != tt.verdict {
					t.Errorf("got %s %q", r.Verdict, r.Message)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("it took %s", took)
				}
				endProcess(t, pid)
			})
		}
	}
}

// endProcess ends what a test has left running, if it still runs.
func endProcess(t *testing.T, pidFile string) {
	t.Helper()
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
