package uboot

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// theirs is an environment that U-Boot's own tool has made, with the configuration that describes it.
type theirs struct {
	t      *testing.T
	config string
	files  []string
}

const theirSize = 0x2000

func newTheirs(t *testing.T, copies int, lines func(files []string) string) *theirs {
	t.Helper()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	put(t, text, "bootcmd=run a; run b\nBOOT_ORDER=A B\nsallyport_A=good\nBOOT_A_LEFT=3\nsallyport_mark=8f2c\nspace= x y \n")
	x := &theirs{t: t, config: filepath.Join(dir, "fw_env.config")}
	args := []string{"-s", fmt.Sprint(theirSize), "-o"}
	if copies == 2 {
		args = append([]string{"-r"}, args...)
	}
	for i := range copies {
		file := filepath.Join(dir, fmt.Sprintf("env%d", i))
		x.run("mkenvimage", "u-boot-tools", append(slices.Clone(args), file, text)...)
		x.files = append(x.files, file)
	}
	put(t, x.config, lines(x.files))
	return x
}

func plainLines(files []string) (config string) {
	for _, f := range files {
		config += fmt.Sprintf("%s 0 0x%x\n", f, theirSize)
	}
	return config
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (x *theirs) run(program, pkg string, args ...string) string {
	x.t.Helper()
	out, err := exec.Command(testtools.Tool(x.t, program, pkg), args...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

func (x *theirs) set(args ...string) {
	x.t.Helper()
	x.run("fw_setenv", "libubootenv-tool", append([]string{"-c", x.config}, args...)...)
}

// agrees wants fw_printenv and us to read the same.
func (x *theirs) agrees(want map[string]string) {
	x.t.Helper()
	s, err := openStore(x.cfg())
	if err != nil {
		x.t.Fatal(err)
	}
	var ours []string
	ours = append(ours, s.env...)
	slices.Sort(ours)
	text := x.run("fw_printenv", "libubootenv-tool", "-c", x.config)
	if printed := strings.Split(strings.TrimSuffix(text, "\n"), "\n"); !slices.Equal(sorted(printed), ours) {
		x.t.Errorf("fw_printenv reads %q, we read %q", printed, ours)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got, _, err := s.env.get(name); err != nil || got != want[name] {
			x.t.Errorf("%s is %q, %v, want %q", name, got, err, want[name])
		}
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func (x *theirs) cfg() Config {
	return Config{Path: x.config, Single: true, Names: slot.BootNames{A: "A", B: "B"}}
}

func (x *theirs) loader() *Loader {
	x.t.Helper()
	l, err := New(x.cfg())
	if err != nil {
		x.t.Fatal(err)
	}
	return l
}

func TestToolsReadWhatWeWrite(t *testing.T) {
	for name, copies := range map[string]int{"one copy": 1, "two copies": 2} {
		t.Run(name, func(t *testing.T) {
			x := newTheirs(t, copies, plainLines)
			x.agrees(map[string]string{"bootcmd": "run a; run b", "space": " x y "})
			for i, f := range x.files[:copies/2] { // near the end of the counter
				data, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				data[flagsAt] = byte(252 + i)
				put(t, f, string(data))
			}
			for i := range 5 {
				for range 1 + i%2 {
					if err := x.loader().Disarm(t.Context(), slot.B); err != nil {
						t.Fatal(err)
					}
					x.agrees(map[string]string{"sallyport_B": "bad", "BOOT_B_LEFT": "0", "sallyport_A": "good", "space": " x y "})
				}
				x.set("round", fmt.Sprint(i))
				x.agrees(map[string]string{"sallyport_B": "bad", "round": fmt.Sprint(i)})
			}
			x.set("space")
			x.agrees(map[string]string{"space": ""})
		})
	}
}

// Two copies on one disk, given in the ways in which fw_env.config can.
func TestToolsReadTheSameConfiguration(t *testing.T) {
	for name, format := range map[string]string{
		"hexadecimal":     "# comment\n\n%[1]s 0x1000 0x2000\n%[1]s 0x4000 0x2000\n",
		"without 0x":      "%[1]s 4096 2000\n%[1]s 0x4000 2000\n",
		"octal":           "%[1]s 010000 0x2000\n%[1]s 040000 0x2000\n",
		"erase blocks":    "%[1]s 0x1000 0x2000 0x1000 2\n%[1]s 0x4000 0x2000 0x1000 2 0\n",
		"comment behind":  "%[1]s\t0x1000\t0x2000 # the first\n%[1]s 0x4000 0x2000 #\n",
		"blanks in front": "  %[1]s 0x1000 0x2000\n\t# no line\n %[1]s 0x4000 0x2000",
	} {
		t.Run(name, func(t *testing.T) {
			x := newTheirs(t, 2, func(files []string) string { return fmt.Sprintf(format, files[0]+".disk") })
			disk := make([]byte, 0x8000)
			for i, at := range []int{0x1000, 0x4000} {
				data, err := os.ReadFile(x.files[i])
				if err != nil {
					t.Fatal(err)
				}
				copy(disk[at:], data)
			}
			put(t, x.files[0]+".disk", string(disk))
			x.agrees(map[string]string{"BOOT_ORDER": "A B"})
			for range 3 {
				if err := x.loader().Disarm(t.Context(), slot.B); err != nil {
					t.Fatal(err)
				}
				x.agrees(map[string]string{"sallyport_B": "bad"})
				x.set("sallyport_B", "good")
				x.agrees(map[string]string{"sallyport_B": "good"})
			}
		})
	}
}

// Where neither copy is good, fw_printenv takes a default environment, and fw_setenv would write it.
func TestToolsReadNothingWhereWeDoNot(t *testing.T) {
	x := newTheirs(t, 2, plainLines)
	for _, f := range x.files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		data[100]++
		put(t, f, string(data))
	}
	if out, err := exec.Command(testtools.Tool(t, "fw_printenv", "libubootenv-tool"), "-c", x.config).CombinedOutput(); err == nil {
		t.Errorf("fw_printenv reads %s", out)
	}
	wantUnready(t, x.loader().Disarm(t.Context(), slot.B), "CRC is wrong")
	for _, f := range x.files {
		if data, err := os.ReadFile(f); err != nil || data[100] == 0 || len(data) != theirSize {
			t.Errorf("%s was written over: %v", f, err)
		}
	}
}

func TestToolsWaitForUs(t *testing.T) {
	x := newTheirs(t, 2, plainLines)
	l := x.loader()
	unlock, err := l.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.set("late", "1")
	}()
	select {
	case <-done:
		t.Error("fw_setenv does not wait for our lock")
	case <-time.After(200 * time.Millisecond):
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = l.State(ctx, slot.A)
	wantUnready(t, err, "is held by another program")
	unlock()
	<-done
	x.agrees(map[string]string{"late": "1"})
}
