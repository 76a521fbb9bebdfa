//go:build !site

package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
)

const (
	attackPushes = 10_000
	nobody       = 65534
)

// attack pushes to the mirror at a URL in every way, without the secret, and prints how often which status came back. It
// is a program of its own, so that it can run as another user.
func attack() {
	url, secret := os.Args[1], os.Args[2]
	tally := struct {
		User    int
		Read    string // of the secret
		Answers map[string]int
	}{User: os.Geteuid(), Answers: map[string]int{}}
	if b, err := os.ReadFile(secret); err == nil {
		tally.Read = string(b)
	}
	dense := `{"schemaVersion":2,"layers":[` + strings.Repeat("{},", 1_300_000) + `{}]}`
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}, Timeout: 30 * time.Second}
	upload := "/v2/app/blobs/uploads/" + "00000000-0000-0000-0000-000000000000"
	ways := []struct{ method, path, body string }{
		{"POST", "/v2/app/blobs/uploads/", ""}, {"PUT", "/v2/app/manifests/1.0.0", "{}"}, {"PATCH", upload, "bytes"}, {"PUT", upload + "?digest=sha256:a", "bytes"},
		{"DELETE", "/v2/app/manifests/1.0.0", ""}, {"DELETE", "/v2/app/blobs/sha256:" + strings.Repeat("a", 64), ""},
		{"POST", "/v2/other/blobs/uploads/?mount=sha256:" + strings.Repeat("a", 64) + "&from=app", ""}, {"PUT", "/v2/app/manifests/1.0.0", dense},
	}
	var mu sync.Mutex
	var next atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := next.Add(1); i <= attackPushes; i = next.Add(1) {
				way := ways[i%int64(len(ways))]
				if len(way.body) > 1000 && i%20 != 7 { // one in twenty of the large ones is enough
					way = ways[1]
				}
				got := try(client, way.method, url+way.path, way.body, i)
				mu.Lock()
				tally.Answers[got]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(tally)
}

// try sends one push, now and then with a guess at the secret, and says what came back.
func try(client *http.Client, method, url, body string, i int64) string {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	if i%3 == 0 {
		req.SetBasicAuth(embedded.User, fmt.Sprintf("%064x", i))
	}
	resp, err := client.Do(req)
	if err != nil && len(body) > 1000 {
		return "cut off" // it was not let finish
	}
	if err != nil {
		return err.Error()
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return strconv.Itoa(resp.StatusCode)
}

// served is a running sallyport mirror serve.
type served struct {
	url, dir, secret string
	pid              int
}

// serveMirror runs the site's program on a folder of its own.
func serveMirror(t *testing.T) *served {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured by Linux's /proc")
	}
	work := t.TempDir()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(work, "site.yaml")
	text := strings.NewReplacer("$WORK", work, "$MIRROR", addr).Replace(shopSite)
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	program := shipped(t, work, "sallyport-site", "..", "-tags", "site")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "mirror", "serve", "--site", site) // it ends in the clean-up
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("mirror serve ended with %v: %s", err, log.String())
		}
	})
	s := &served{url: "http://" + addr, dir: filepath.Join(work, "mirror"), secret: filepath.Join(work, "state", "mirror.secret"), pid: cmd.Process.Pid}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(s.url + "/v2/")
		if err == nil {
			resp.Body.Close()
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("it does not answer: %v\n%s", err, log.String())
		}
	}
}

// peak is the largest resident set that the program had, in bytes.
func (s *served) peak(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

func (s *served) client(t *testing.T) *mirror.Client {
	t.Helper()
	password, err := embedded.Secret(t.Context(), s.secret)
	if err != nil {
		t.Fatal(err)
	}
	c, err := mirror.New(mirror.Config{URL: s.url, Username: embedded.User, Password: password, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A local user who is nobody attacks the real program: every push is refused, nothing changes, and memory stays bounded.
func TestTenThousandPushesByNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a program as another user")
	}
	s := serveMirror(t)
	index := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ocispec.MediaTypeImageIndex)
	if _, err := s.client(t).PushManifest(t.Context(), "app", "1.0.0", ocispec.MediaTypeImageIndex, index); err != nil {
		t.Fatal(err)
	}
	before := listFiles(t, s.dir)

	cmd := exec.CommandContext(t.Context(), copyOfThisProgram(t))
	cmd.Args = []string{"attack", s.url, s.secret}
	cmd.Dir, cmd.Env = "/", []string{"HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var tally struct {
		User    int
		Read    string
		Answers map[string]int
	}
	if err := json.Unmarshal(out, &tally); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if tally.User != nobody || tally.Read != "" {
		t.Errorf("it ran as %d and read %q", tally.User, tally.Read)
	}
	refused, cut := tally.Answers["401"], tally.Answers["cut off"]
	if refused+cut != attackPushes || refused < attackPushes*9/10 {
		t.Errorf("answers %v", tally.Answers)
	}
	if peak := s.peak(t); peak > 128<<20 {
		t.Errorf("it took %d MiB", peak>>20)
	}
	if after := listFiles(t, s.dir); !slices.Equal(before, after) {
		t.Errorf("files before %q, after %q", before, after)
	}
	if raw, _, err := s.client(t).Manifest(t.Context(), "app", "1.0.0"); err != nil || !bytes.Equal(raw, index) {
		t.Errorf("the tag is %q, %v", raw, err)
	}
	t.Logf("%v, peak %d MiB", tally.Answers, s.peak(t)>>20)
}

// One manifest of 4 MiB, of the worst kinds, takes less than 64 MiB; and so do many readers of one that was taken.
func TestLargestManifestsTakeLittleMemory(t *testing.T) {
	s := serveMirror(t)
	c := s.client(t)
	if _, err := c.PushManifest(t.Context(), "app", "small", ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[]}`)); err != nil {
		t.Fatal(err)
	}
	idle := s.peak(t)
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (4<<20-len(head)-len(tail))/len(unit)) + tail
	}
	head := `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `",`
	bad := map[string]string{
		"objects":     fill(head+`"manifests":[`, "{},", "{}]}"),
		"annotations": fill(head+`"annotations":{`, `"":"",`, `"":""}}`),
		"nesting":     fill("", `{"manifests":[`, ""),
		"lists":       fill(head+`"x":[`, "[],", "[]]}"),
	}
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		if _, err := c.PushManifest(t.Context(), "app", "1", ocispec.MediaTypeImageIndex, []byte(bad[name])); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if took := s.peak(t) - idle; took > 64<<20 {
			t.Errorf("%s: it took %d MiB", name, took>>20)
		}
	}
	good := fill(head+`"manifests":[],"annotations":{"a":"`, "x", `"}}`)
	if _, err := c.PushManifest(t.Context(), "app", "1", ocispec.MediaTypeImageIndex, []byte(good)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			resp, err := http.Get(s.url + "/v2/app/manifests/1")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != good {
				t.Errorf("%d bytes came back, %v", len(b), err)
			}
		})
	}
	all.Wait()
	if took := s.peak(t) - idle; took > 64<<20 {
		t.Errorf("64 readers: it took %d MiB", took>>20)
	}
	t.Logf("idle %d MiB, peak %d MiB", idle>>20, s.peak(t)>>20)
}

// copyOfThisProgram is where everybody may run it.
func copyOfThisProgram(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "attack")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "attack")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func listFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		files = append(files, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
