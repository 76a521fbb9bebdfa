//go:build !site

package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-dev/sallyport/internal/fixture"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sallyport": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"attack":    attack,
		"linger":    linger,
	})
}

// TestSessions runs what people type, in testdata/*.txtar.
func TestSessions(t *testing.T) {
	sessions, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(sessions) == 0 {
		t.Fatalf("no session in testdata: %v", err)
	}
	shop := newShop(t)
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { return setupSession(env, shop) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":      cmdAwait,
			"cosign":     func(ts *testscript.TestScript, neg bool, args []string) { cmdCosign(t, ts, neg, args) },
			"cut":        cmdCut,
			"damage":     cmdDamage,
			"disk":       cmdDisk,
			"ended":      cmdEnded,
			"exits":      cmdExits,
			"flip":       cmdFlip,
			"image":      cmdImage,
			"json":       cmdJSON,
			"onlyobject": cmdOnlyObject,
			"push":       cmdPush,
			"quickstart": cmdQuickstart,
			"reach":      cmdReach,
			"registry":   cmdRegistry,
			"release":    cmdRelease,
			"remember":   cmdRemember,
			"runbook":    cmdRunbook,
			"same":       cmdSame,
			"settings":   cmdSettings,
			"window":     cmdWindow,
			"signal":     cmdSignal,
			"start":      cmdStart,
			"unchanged":  cmdUnchanged,
		},
		Condition: func(cond string) (bool, error) {
			if cond != "mount" {
				return false, fmt.Errorf("no condition is called %s", cond)
			}
			return canMount(), nil
		},
	})
}

// setupSession gives a session a site of its own: addresses for its mirror and for the server that checks ask. The server
// plays what runs on the site: it is ill while the manifests name what the file sick holds.
func setupSession(env *testscript.Env, shop string) error {
	mirror, err := freeAddress()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sick, err := os.ReadFile(filepath.Join(env.WorkDir, "sick"))
		runs, err2 := os.ReadFile(filepath.Join(env.WorkDir, "manifests", "sallyport.yaml"))
		if err2 != nil || err == nil && bytes.Contains(runs, bytes.TrimSpace(sick)) {
			http.Error(w, "ill", http.StatusInternalServerError)
		}
	})}
	go func() { _ = server.Serve(l) }()
	env.Defer(func() { _ = server.Close() })
	env.Vars = append(env.Vars,
		"COSIGN_PASSWORD=test", "SALLYPORT_SITE="+filepath.Join(env.WorkDir, "site.yaml"), "HOME="+env.WorkDir,
		"MIRROR="+mirror, "SERVER="+l.Addr().String(), "ARCH="+runtime.GOARCH)
	linger, err := lookPath(env.Getenv("PATH"), "linger")
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars, "LINGER="+linger) // checks do not inherit PATH
	newSession(env)
	if err := openShop(env, shop); err != nil {
		return err
	}
	env.Values["session"].(*session).env = env.Vars
	// Sessions cannot know the addresses and the processor: $NAME in their files stands for them.
	return expandFiles(env)
}

func expandFiles(env *testscript.Env) error {
	return filepath.WalkDir(env.WorkDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(os.Expand(string(b), env.Getenv)), 0o644)
	})
}

// lookPath finds a program in the folders of a PATH.
func lookPath(path, program string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			return filepath.Join(dir, program), nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", program, path)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// exits STATUS COMMAND...: the command fails with just that status, and says so as every failure is told.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s\n%s%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
	if args[1] == "sallyport" && !toldExit(args[2:], args[0]) {
		ts.Fatalf("the verb's help does not tell of exit status %s", args[0])
	}
	wellFormed(ts, args[0], args)
}

// image LAYOUT REF SEED...: adds an image to an OCI layout, whose layer has a file of 300 kB for each seed. Files of
// the same seed are the same but for their last line.
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: image LAYOUT REF SEED...")
	}
	ts.Check(writeImage(ts.MkAbs(args[0]), args[1], args[2:]...))
}

func writeImage(layout, ref string, seeds ...string) error {
	img, err := seededImage(ref, seeds...)
	if err != nil {
		return err
	}
	return fixture.WriteLayout(layout, ref, img)
}

func seededImage(ref string, seeds ...string) (v1.Image, error) {
	var files []fixture.File
	for _, seed := range seeds {
		files = append(files, fixture.File{Path: "data/" + seed, Mode: 0o644, Data: []byte(text(seed, ref))})
	}
	layer, err := fixture.Layer(files...)
	if err != nil {
		return nil, err
	}
	return fixture.Image(runtime.GOARCH, "/app", layer)
}

// text is 300 kB that compress badly and are the same for every ref but for the last line.
func text(seed, ref string) string {
	var b strings.Builder
	state := uint64(14695981039346656037)
	for _, c := range []byte(seed) {
		state = (state ^ uint64(c)) * 1099511628211
	}
	for b.Len() < 300_000 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		fmt.Fprintf(&b, "%x\n", state)
	}
	return b.String() + ref + "\n"
}

// flip FILE PERCENT: flips one bit of the file, that far into it.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE PERCENT")
	}
	b, at := fileAndOffset(ts, args)
	b[at] ^= 0x10
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// cut FILE PERCENT: keeps that much of the file.
func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE PERCENT")
	}
	b, at := fileAndOffset(ts, args)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b[:at], 0o644))
}

func fileAndOffset(ts *testscript.TestScript, args []string) ([]byte, int) {
	percent, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	return b, len(b) * percent / 100
}

// json FILE PATH [WANT]: the value at PATH (a.b.0.c) is WANT, or is there at all.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: json FILE PATH [WANT]")
	}
	v := valueAt(ts, args[0], args[1])
	found := v != nil && (len(args) == 2 || fmt.Sprint(v) == args[2])
	if found == neg {
		ts.Fatalf("%s is %v", args[1], v)
	}
}

// valueAt is what stands in a JSON file at a path such as a.b.0.c; nil if nothing does.
func valueAt(ts *testscript.TestScript, file, path string) any {
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(file)), &v); err != nil {
		ts.Fatalf("%s is not one JSON object: %v\n%s", file, err, ts.ReadFile(file))
	}
	for _, step := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s: no element %s", path, step)
			}
			v = at[i]
		default:
			v = nil
		}
	}
	return v
}

// cosign ARG...: runs stock cosign, which is built if this machine has none.
func cmdCosign(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: cosign ARG...")
	}
	ts.Check(ts.Exec(testtools.Cosign(t), args...))
}
