package testtools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const registryConfig = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
http:
  addr: %q
`

// startTimeout bounds how long a registry may take until it answers. It needs 50 ms on an idle machine.
const startTimeout = 30 * time.Second

// DockerRegistry starts Debian's docker-registry on a free loopback port with an empty folder and returns its URL,
// http://127.0.0.1:PORT. It ends with the test.
func DockerRegistry(t testing.TB) string {
	t.Helper()
	program := Tool(t, "docker-registry", "docker-registry")
	addr := freeAddress(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf(registryConfig, filepath.Join(dir, "data"), addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "serve", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	var exit error
	ended := make(chan struct{})
	go func() {
		exit = cmd.Wait()
		close(ended)
	}()
	stop := func() {
		cancel()
		<-ended
	}

	url := "http://" + addr
	if err := waitForRegistry(ctx, url, ended); err != nil {
		stop()
		t.Fatalf("docker-registry at %s: %v (%v)\n%s", addr, err, exit, log.String())
	}
	t.Cleanup(stop)
	return url
}

// freeAddress returns a loopback address that nothing listened on a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitForRegistry returns when the registry answers. One that ended is an error, and so is one that takes too long.
func waitForRegistry(ctx context.Context, url string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v2/", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s: %w", startTimeout, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
