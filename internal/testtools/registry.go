package testtools

import (
	"bytes"
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
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() {
		cmd.Process.Kill() // an error means that it has ended, which is what is wanted
		<-ended
	}

	url := "http://" + addr
	if err := waitForRegistry(url, ended); err != nil {
		stop()
		t.Fatalf("docker-registry at %s: %v\n%s", addr, err, log.String())
	}
	t.Cleanup(stop)
	return url
}

// freeAddress returns a loopback address that nothing listened on a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitForRegistry returns when the registry answers. A registry that ends early is an error; its verdict is put back
// for whoever waits for the process.
func waitForRegistry(url string, ended chan error) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.After(startTimeout)
	for {
		resp, err := client.Get(url + "/v2/")
		if err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended: %v", err)
		case <-deadline:
			return fmt.Errorf("no answer within %s", startTimeout)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
