//go:build !site

package cmd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	reference "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// patience bounds every wait of a session. It is for machines under load: nothing waits that long when all is well.
const patience = 30 * time.Second

// session is what the commands of one session share.
type session struct {
	registry atomic.Value // string: how the registry at $REGISTRY behaves
	trees    map[string]string
	started  *started
	env      []string
	dir      string
}

// linger BEGUN ENOUGH is a program: it makes the file BEGUN and waits until there is a file ENOUGH.
func linger() {
	if err := os.WriteFile(os.Args[1], nil, 0o644); err != nil {
		log.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(os.Args[2]); err == nil {
			return
		}
	}
	log.Fatalf("nobody made %s", os.Args[2])
}

func of(ts *testscript.TestScript) *session { return ts.Value("session").(*session) }

// newSession starts the registry of a session, which keeps everything in memory.
func newSession(env *testscript.Env) {
	s := &session{dir: env.WorkDir, trees: map[string]string{}}
	s.registry.Store("well")
	env.Values["session"] = s
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(inner, w, r) }))
	env.Defer(server.Close)
	env.Vars = append(env.Vars, "REGISTRY="+server.Listener.Addr().String())
}

// serve answers as a registry in the state that the session has put it in.
func (s *session) serve(inner http.Handler, w http.ResponseWriter, r *http.Request) {
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead
	refuse := func(code int, word, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, word, text)
	}
	mode := s.registry.Load().(string)
	user, password, _ := r.BasicAuth()
	switch {
	case mode == "readonly" && writes:
		refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "the registry is read-only")
	case mode == "full" && writes:
		refuse(http.StatusInternalServerError, "UNKNOWN", "write /data: no space left on device")
	case mode == "broken":
		refuse(http.StatusInternalServerError, "UNKNOWN", "out of order")
	case mode == "garbage":
		fmt.Fprint(w, "<html><body>Welcome to the guest network. Please log in.</body></html>")
	case mode == "private" && (user != "till" || password != "secret"):
		w.Header().Set("WWW-Authenticate", `Basic realm="mirror"`)
		refuse(http.StatusUnauthorized, "UNAUTHORIZED", "who are you?")
	case mode == "stuck":
		_ = os.WriteFile(filepath.Join(s.dir, "asked"), nil, 0o644) // await tells if it fails
		<-r.Context().Done()
	case mode == "slow":
		time.Sleep(20 * time.Millisecond)
		inner.ServeHTTP(w, r)
	default:
		inner.ServeHTTP(w, r)
	}
}

// registry STATE: from now on the registry at $REGISTRY is well, slow, stuck (the file asked
// tells that it has begun), readonly, full, broken, private (user till,
// password secret) or no registry at all: garbage.
func cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: registry STATE")
	}
	of(ts).registry.Store(args[0])
}

// remember PATH: notes what is there, a file or a tree.
func cmdRemember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: remember PATH")
	}
	of(ts).trees[args[0]] = tree(ts, args[0])
}

// unchanged PATH: what is there is what remember noted.
func cmdUnchanged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: unchanged PATH")
	}
	before, ok := of(ts).trees[args[0]]
	if !ok {
		ts.Fatalf("nobody remembers %s", args[0])
	}
	if now := tree(ts, args[0]); (now == before) == neg {
		ts.Fatalf("%s was\n%sand is\n%s", args[0], before, now)
	}
}

// tree lists the files at a path with their digests.
func tree(ts *testscript.TestScript, path string) string {
	var b strings.Builder
	root := ts.MkAbs(path)
	ts.Check(filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		fmt.Fprintf(&b, "%x %s\n", sha256.Sum256(data), strings.TrimPrefix(file, root))
		return err
	}))
	return b.String()
}

// await FILE [PATTERN]: waits until the file is there, and holds a line like the pattern.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [PATTERN]")
	}
	pattern := regexp.MustCompile(strings.Join(append([]string{"(?m)"}, args[1:]...), ""))
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(b) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s never came to be like %s", args[0], pattern)
		}
	}
}

// started is a command that runs beside the session.
type started struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// start COMMAND...: starts a command that signal and ended are about. It must not read standard input.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: start COMMAND...")
	}
	program, err := lookPath(ts.Getenv("PATH"), args[0])
	ts.Check(err)
	c := &started{Cmd: exec.Command(program, args[1:]...)}
	c.Dir, c.Env, c.Stderr = ts.MkAbs("."), of(ts).env, &c.stderr
	ts.Check(c.Start())
	ts.Defer(func() { _ = c.Process.Kill() })
	of(ts).started = c
}

// signal INT|TERM|HUP|KILL [DELAY]: sends the signal to what was started, after the delay.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}
	c := of(ts).started
	if neg || len(args) < 1 || signals[args[0]] == nil || c == nil {
		ts.Fatalf("usage: signal INT|TERM|HUP|KILL [DELAY], after start")
	}
	if len(args) > 1 {
		delay, err := time.ParseDuration(args[1])
		ts.Check(err)
		time.Sleep(delay)
	}
	_ = c.Process.Signal(signals[args[0]]) // it may have ended before
}

// ended STATUS|any: waits until what was started ends, with that status.
func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	c := of(ts).started
	if neg || len(args) != 1 || c == nil {
		ts.Fatalf("usage: ended STATUS|any, after start")
	}
	_ = c.Wait() // the status tells
	of(ts).started = nil
	got, told := fmt.Sprint(c.ProcessState.ExitCode()), c.stderr.String()
	if args[0] != "any" && got != args[0] {
		ts.Fatalf("exit status %s, want %s\n%s", got, args[0], told)
	}
	if args[0] != "any" && args[0] != "0" && !twoLines.MatchString(told) {
		ts.Fatalf("standard error is not error: and hint:\n%s", told)
	}
}

// disk DIR SIZE: mounts a disk of that size at DIR.
func cmdDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: disk DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(mountDisk(dir, args[1]))
	ts.Defer(func() { _ = unmountDisk(dir) })
}

// wellFormed checks what a command that failed told: two lines on standard error or, with --json, one object on standard
// output with the exit status in it.
func wellFormed(ts *testscript.TestScript, status string, args []string) {
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if asked(args, "--json") {
		var v struct {
			Error *struct {
				Code                  int
				Reason, Message, Hint string
			}
		}
		d := json.NewDecoder(strings.NewReader(stdout))
		if err := d.Decode(&v); err != nil || d.More() || v.Error == nil {
			ts.Fatalf("standard output is not one object with an error: %v\n%s", err, stdout)
		}
		if fmt.Sprint(v.Error.Code) != status || v.Error.Reason == "" || v.Error.Message == "" || v.Error.Hint == "" {
			ts.Fatalf("error is %+v, want all of it and code %s", *v.Error, status)
		}
		stderr = forPeople(v.Error.Message + v.Error.Hint)
	} else if !twoLines.MatchString(stderr) {
		ts.Fatalf("standard error is not error: and hint:\n%s", stderr)
	}
	if leak := leaks.FindString(stderr); leak != "" {
		ts.Fatalf("people cannot use %q in\n%s", leak, stderr)
	}
}

var (
	twoLines = regexp.MustCompile(`^error: [^\n]+\nhint:  [^\n]+\n$`)
	// leaks are a whole digest, Go's words for values and types, and system calls.
	leaks = regexp.MustCompile(`[0-9a-f]{64}|%!|<nil>|\bnil\b|map\[|0x[0-9a-f]{6,}|goroutine|\*[a-z]+\.[A-Z]\w+|context canceled|unexpected EOF`)
)

func asked(args []string, flag string) bool {
	for _, a := range args {
		if a == flag {
			return true
		}
	}
	return false
}

// onlyObject FILE: the file holds one JSON object and nothing else.
func cmdOnlyObject(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: onlyobject FILE")
	}
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	if err := d.Decode(&v); err != nil || d.More() {
		ts.Fatalf("%s is not one object: %v\n%s", args[0], err, ts.ReadFile(args[0]))
	}
}

// same FILE FILE PATH: the JSON files have the same value there.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: same FILE FILE PATH")
	}
	a, b := valueAt(ts, args[0], args[2]), valueAt(ts, args[1], args[2])
	if a == nil || (fmt.Sprint(a) == fmt.Sprint(b)) == neg {
		ts.Fatalf("%s: %v and %v", args[2], a, b)
	}
}

// push REF SEED...: pushes an image as the command image makes it to a registry.
func cmdPush(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: push REF SEED...")
	}
	img, err := seededImage(args[0], args[1:]...)
	ts.Check(err)
	ts.Check(fixture.Push(context.Background(), args[0], img))
}

// reach ADDRESS: waits until somebody listens there.
func cmdReach(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: reach ADDRESS")
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", args[0], patience)
		if err == nil {
			ts.Check(c.Close())
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nobody listens: %v", err)
		}
	}
}

// damage DIR: changes a byte of the largest file below DIR, as an ill disk does.
func cmdDamage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage DIR")
	}
	var largest string
	var most int64
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > most {
			largest, most = file, info.Size()
		}
		return err
	}))
	if most == 0 {
		ts.Fatalf("%s holds nothing to damage", args[0])
	}
	b, err := os.ReadFile(largest)
	ts.Check(err)
	b[most/2] ^= 1
	ts.Check(os.WriteFile(largest, b, 0o644))
}

// quickstart FILE: writes the commands of docs/quickstart.md, without the first block, whose images it makes itself.
func cmdQuickstart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: quickstart FILE")
	}
	text, err := os.ReadFile(filepath.Join("..", "docs", "quickstart.md"))
	ts.Check(err)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 6 || !strings.Contains(blocks[0][1], "crane") {
		ts.Fatalf("docs/quickstart.md has %d blocks, of which the first does not make the images", len(blocks))
	}
	for _, v := range []string{"1", "2", "3"} {
		name := "registry.example.com/shop:" + v
		img, err := seededImage(name, "app")
		ts.Check(err)
		tag, err := reference.NewTag(name)
		ts.Check(err)
		ts.Check(tarball.WriteToFile(ts.MkAbs("shop-"+v+".image.tar"), tag, img))
	}
	var script strings.Builder
	for _, b := range blocks[1:] {
		script.WriteString(strings.ReplaceAll(b[1], "127.0.0.1:5077", ts.Getenv("MIRROR")))
	}
	text = []byte(strings.ReplaceAll(script.String(), "$(go env GOARCH)", ts.Getenv("ARCH")))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// runbook HEADING FILE...: writes the commands that docs/operations.md has below a heading, a file for each of its transcripts. A command
// whose answer in the transcript has FAILED has to fail.
func cmdRunbook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: runbook HEADING FILE...")
	}
	text, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	ts.Check(err)
	_, section, ok := strings.Cut(string(text), "\n## "+args[0]+"\n")
	if !ok {
		ts.Fatalf("docs/operations.md has no heading %s", args[0])
	}
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != len(args)-1 {
		ts.Fatalf("%s has %d transcripts, not %d", args[0], len(blocks), len(args)-1)
	}
	for i, b := range blocks {
		var script strings.Builder
		for _, command := range strings.Split("\n"+b[1], "\n$ ")[1:] {
			line, answer, _ := strings.Cut(command, "\n")
			if strings.Contains(answer, "FAILED") {
				line = "if " + line + "; then exit 1; fi"
			}
			script.WriteString(line + "\n")
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[i+1]), []byte(script.String()), 0o644))
	}
}
