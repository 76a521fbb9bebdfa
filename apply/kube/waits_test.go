package kube

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hasty has little time for anything.
func hasty(t *testing.T, kubeconfig string) *Cluster {
	t.Helper()
	c, err := NewCluster(Config{Kubeconfig: kubeconfig, Patience: 200 * time.Millisecond, Answer: 500 * time.Millisecond, Settle: time.Second})
	must(t, err)
	return c
}

// in wants an error of the target, of the given reason, within some seconds.
func in(t *testing.T, began time.Time, err error, reason, text string) {
	t.Helper()
	var target *TargetError
	if !errors.As(err, &target) || target.Reason() != reason || !strings.Contains(err.Error(), text) || target.Hint() == "" {
		t.Errorf("got %v, want a TargetError with the reason %s and %q", err, reason, text)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A server that accepts and never answers is given up at whichever request it falls silent.
func TestSilentAtAnyRequest(t *testing.T) {
	want := objects("%s", configMap("default", "silence", "x"))
	for n := int64(1); ; n++ {
		var seen atomic.Int64
		silent := func(w http.ResponseWriter, r *http.Request) bool { return seen.Add(1) >= n && hang(w, r) }
		c := hasty(t, proxied(t, silent).config.Kubeconfig)
		began := time.Now()
		_, err := c.Ready(t.Context(), Inventory{})
		var inv Inventory
		if err == nil {
			inv, _, err = c.Apply(t.Context(), want, Inventory{})
		}
		if err == nil {
			_, err = c.Health(t.Context(), want)
		}
		if err == nil {
			_, err = c.Prune(t.Context(), inv, Inventory{})
		}
		if err == nil {
			if n < 8 {
				t.Errorf("only %d requests: the test sees nothing", n)
			}
			return
		}
		in(t, began, err, "target", "no answer in time")
	}
}

func TestServersThatWasteTime(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		f          fault
	}{
		{"come back in a quarter of an hour", "", func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "900")
			return answer(503, "{}")(w, r)
		}},
		{"too many requests, for ever", "", func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "1")
			return answer(429, "{}")(w, r)
		}},
		{"a letter at a time", "no answer in time", func(w http.ResponseWriter, r *http.Request) bool {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
			return true
		}},
		{"an answer without end", "", func(w http.ResponseWriter, r *http.Request) bool {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<20))
			}
			return true
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := hasty(t, proxied(t, tt.f).config.Kubeconfig)
			began := time.Now()
			_, err := c.Ready(t.Context(), Inventory{})
			in(t, began, err, "target", tt.text)
		})
	}
}

func TestAnswersAreBounded(t *testing.T) {
	b := &bounded{http.NoBody, 5}
	b.ReadCloser = readCloser{strings.NewReader("longer")}
	if n, err := b.Read(make([]byte, 10)); n != 6 || err == nil || !strings.Contains(err.Error(), "larger than 32 MiB") {
		t.Errorf("got %d, %v", n, err)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// What becomes of a kubeconfig whose credentials a program has to get.
func TestCredentialPrograms(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "credentials")
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
		return path
	}
	good := `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"` + token(t) + `"}}'`
	for _, tt := range []struct{ name, program, reason, text string }{
		{"good", script(good), "", ""},
		{"missing", "/opt/cloud/get-token", "unusable", "/opt/cloud/get-token: no such file"},
		{"fails", script("echo no such account >&2; exit 7"), "unusable", "failed with exit code 7"},
		{"nonsense", script("echo hello"), "unusable", "getting credentials: "},
		{"does not end", script("exec sleep 3"), "unusable", "credentials does not end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := hasty(t, withProgram(t, tt.program))
			began := time.Now()
			_, err := c.Ready(t.Context(), Inventory{})
			if tt.reason == "" {
				must(t, err)
				return
			}
			in(t, began, err, tt.reason, tt.text)
		})
	}
}

func token(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(shared.Kubeconfig)
	must(t, err)
	var m struct {
		Users []struct{ User struct{ Token string } }
	}
	must(t, json.Unmarshal(b, &m))
	return m.Users[0].User.Token
}

// withProgram is the shared cluster's kubeconfig with a program for the credentials.
func withProgram(t *testing.T, program string) string {
	t.Helper()
	path := kubeconfigFor(t, shared.Server)
	b, err := os.ReadFile(path)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(b, &m))
	m["users"].([]any)[0].(map[string]any)["user"] = map[string]any{"exec": map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "command": program, "interactiveMode": "Never"}}
	b, err = json.Marshal(m)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
	return path
}
