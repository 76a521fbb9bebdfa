package check

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// once measures a check a single time.
func once(t *testing.T, c bundle.Check) Result {
	t.Helper()
	c.Name, c.FailureLimit = "c", ptr(0)
	if c.Timeout == 0 {
		c.Timeout = 20000 * ms
	}
	results, _, err := Run(t.Context(), []bundle.Check{c}, Env{Environ: []string{"SALLYPORT_RELEASE=shop"}})
	if err != nil || len(results) != 1 {
		t.Fatal(results, err)
	}
	return results[0]
}

func expect(t *testing.T, r Result, verdict Verdict, message string) {
	t.Helper()
	if r.Verdict != verdict || !strings.Contains(r.Message, message) || message == "" && r.Message != "" {
		t.Errorf("got %s %q, want %s %q", r.Verdict, r.Message, verdict, message)
	}
}

// site is a server with something behind each path.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "status: green "+r.Method) })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil {
			code = 400
		}
		w.WriteHeader(code)
	})
	mux.HandleFunc("/hop/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n == 0 {
			return
		}
		http.Redirect(w, r, "/hop/"+strconv.Itoa(n-1), http.StatusFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://metadata.invalid/", http.StatusFound)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", maxBody-5), "inside", "outside")
	})
	mux.HandleFunc("/torn", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "green")
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func TestHTTP(t *testing.T) {
	srv := site(t)
	// A proxy from the environment would get every request.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	for _, tt := range []struct {
		name    string
		check   bundle.HTTPCheck
		verdict Verdict
		message string
	}{
		{"good", bundle.HTTPCheck{URL: "/ok"}, Pass, ""},
		{"good method and body", bundle.HTTPCheck{URL: "/ok", Method: "POST", Body: `green PO.T$`}, Pass, ""},
		{"bad body", bundle.HTTPCheck{URL: "/ok", Body: `red`}, Fail, `/ok answered 200, but its body does not match "red" (1 try in 0`},
		{"bad status", bundle.HTTPCheck{URL: "/status/500"}, Fail, "/status/500 answered 500, wanted 200 (1 try in 0"},
		{"wanted status", bundle.HTTPCheck{URL: "/status/503", Status: 503}, Pass, ""},
		{"three redirects", bundle.HTTPCheck{URL: "/hop/3"}, Pass, ""},
		{"four redirects", bundle.HTTPCheck{URL: "/hop/4"}, Fail, "/hop/4 did not answer: redirects more than 3 times"},
		{"wanted redirect", bundle.HTTPCheck{URL: "/hop/1", Status: 302}, Pass, ""},
		{"redirect away", bundle.HTTPCheck{URL: "/away"}, Fail, "/away answered 302, wanted 200; it points to http://metadata.invalid, and checks follow no redirect"},
		{"wanted redirect away", bundle.HTTPCheck{URL: "/away", Status: 302}, Pass, ""},
		{"body up to the first MiB", bundle.HTTPCheck{URL: "/long", Body: "xinsid$"}, Pass, ""},
		{"body beyond the first MiB", bundle.HTTPCheck{URL: "/long", Body: "inside"}, Fail, "does not match"},
		{"torn body", bundle.HTTPCheck{URL: "/torn", Body: "green"}, Fail, "broke off its answer"},
		{"torn body that nobody reads", bundle.HTTPCheck{URL: "/torn"}, Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.check.URL = srv.URL + tt.check.URL
			expect(t, once(t, bundle.Check{HTTP: &tt.check}), tt.verdict, tt.message)
		})
	}
	t.Run("no answer", func(t *testing.T) {
		c := bundle.Check{HTTP: &bundle.HTTPCheck{URL: srv.URL + "/hang"}, Timeout: 50 * ms}
		expect(t, once(t, c), Fail, "/hang did not answer: no answer in time (1 try in")
	})
	t.Run("nobody listens", func(t *testing.T) {
		url := "http://user:secret@" + closedPort(t) + "/x"
		r := once(t, bundle.Check{HTTP: &bundle.HTTPCheck{URL: url}})
		expect(t, r, Fail, "did not answer: connect: connection refused")
		if strings.Contains(r.Message, "secret") {
			t.Errorf("the message tells the password: %s", r.Message)
		}
	})
	t.Run("certificate of nobody", func(t *testing.T) {
		tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
		tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
		tlsServer.StartTLS()
		defer tlsServer.Close()
		expect(t, once(t, bundle.Check{HTTP: &bundle.HTTPCheck{URL: tlsServer.URL}}), Fail, "certificate")
	})
}

func TestHTTPRecovers(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	c := bundle.Check{Name: "c", HTTP: &bundle.HTTPCheck{URL: srv.URL}, Interval: ms}
	results, ok, err := Run(t.Context(), []bundle.Check{c}, Env{})
	if err != nil || !ok || results[0].Tries != 3 {
		t.Errorf("got %+v, %t, %v", results, ok, err)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	expect(t, once(t, bundle.Check{TCP: &bundle.TCPCheck{Address: l.Addr().String()}}), Pass, "")
	closed := closedPort(t)
	expect(t, once(t, bundle.Check{TCP: &bundle.TCPCheck{Address: closed}}), Fail,
		closed+" does not accept connections: connect: connection refused (1 try in 0")
}

func TestExec(t *testing.T) {
	sh := func(script string) bundle.Check {
		return bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"sh", "-c", script}}}
	}
	t.Setenv("SALLYPORT_TEST_LEAK", "1")
	for _, tt := range []struct {
		name    string
		check   bundle.Check
		verdict Verdict
		message string
	}{
		{"good", sh("echo fine; exit 0"), Pass, ""},
		{"bad", sh("echo first; echo 'tills offline: 3' >&2; echo; exit 4"), Fail, "sh exited with status 4: tills offline: 3 (1 try in 0"},
		{"silent", sh("exit 1"), Fail, "sh exited with status 1 (1 try in 0"},
		{"killed", sh("kill -TERM $$"), Fail, "sh was ended by signal 15 (terminated)"},
		{"talks much", sh("yes | head -c 100000; echo; echo last; exit 1"), Fail, ": last ("},
		{"talks strangely", sh(`printf 'a\033[31mb\000c\n'; exit 1`), Fail, `: a\x1b[31mb\x00c (`},
		{"its environment", sh(`test "$SALLYPORT_RELEASE" = shop && test -z "$SALLYPORT_TEST_LEAK" && test "$PWD" = /`), Pass, ""},
		{"no shell", bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"test", "$HOME", "=", "$HOME"}}}, Pass, ""},
		{"leaves a child behind", sh("sleep 60 & exit 0"), Pass, ""},
		{"missing", bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"/no/such/program"}}}, Error, "program /no/such/program does not exist"},
		{"missing on the path", bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"no-such-program"}}}, Error, "program no-such-program is not in /usr/local/sbin:"},
		{"relative", bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"./x"}}}, Error, "must be a plain name or an absolute path"},
		{"folder", bundle.Check{Exec: &bundle.ExecCheck{Command: []string{"/tmp"}}}, Error, "program /tmp is not executable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, once(t, tt.check), tt.verdict, tt.message)
		})
	}
}

func TestExecIsKilledWithItsChildren(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	c := bundle.Check{Timeout: 500 * ms, Exec: &bundle.ExecCheck{Command: []string{"sh", "-c",
		"echo waiting; sleep 60 & echo $! > " + pidFile + "; wait"}}}
	began := time.Now()
	r := once(t, c)
	expect(t, r, Fail, "s and was killed: waiting (1 try in 0.") // how long it took depends on the machine
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); running(pid); {
		if time.Now().After(end) {
			t.Fatalf("the child %d still runs", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// running tells whether a process is there and not merely waiting to be reaped.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestExecIsKilledWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	c := bundle.Check{Name: "c", Exec: &bundle.ExecCheck{Command: []string{"sleep", "60"}}}
	if _, _, err := Run(ctx, []bundle.Check{c}, Env{}); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}
